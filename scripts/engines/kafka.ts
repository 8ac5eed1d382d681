import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { partitionsPerTopic } from '../../shared/contracts/topics.ts'
import { cached } from '../cache.ts'
import type { Log, ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import { probeTcp } from '../probe.ts'
import { pipInstall, python, run } from '../run.ts'
import { setUpTopics, withKafkaAdmin } from '../set-up/topics.ts'
import type { StackInfo } from '../stack-client.ts'
import { findJava } from './java.ts'

const here = import.meta.dirname
const jarList = join(here, 'kafka-jars.txt')
export const version = '4.1.0'
// The quick compiler only: a second less to start, and less CPU in all for the first 20000 messages; later the same.
const jvmFlags = ['-Xmx512m', '-XX:TieredStopAtLevel=1', '-XX:+UseG1GC']

export async function install(log: Log): Promise<string> {
  await findJava(log)
  const list = createHash('sha256')
    .update(await readFile(jarList))
    .digest('hex')
  return cached(`kafka-${version}-${list.slice(0, 8)}`, log, async (dir) => {
    const tools = join(dir, 'tools')
    await pipInstall('maven-artifact==0.3.5', tools)
    const jars = join(dir, 'jars')
    await mkdir(jars)
    await run(python, [join(here, 'maven.py'), jarList, jars], {
      env: { PYTHONPATH: tools },
    })
    await rm(tools, { recursive: true })
  })
}

const logging = `
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
`

/** What the broker is told wherever it runs; addresses and folders come on top. */
export const brokerSettings = {
  'process.roles': 'broker,controller',
  'node.id': 1,
  'controller.listener.names': 'CONTROLLER',
  'auto.create.topics.enable': false,
  'num.partitions': partitionsPerTopic,
  'default.replication.factor': 1,
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  'group.initial.rebalance.delay.ms': 0,
  // A killed broker may register again only when its old session is over: 9 s by default.
  'broker.session.timeout.ms': 4000,
  'broker.heartbeat.interval.ms': 1000,
  'log.segment.bytes': 67_108_864,
}

function settings(stack: StackInfo, logDir: string): string {
  const { kafka, kafkaController } = stack.ports
  return Object.entries({
    ...brokerSettings,
    'controller.quorum.voters': `1@127.0.0.1:${kafkaController}`,
    listeners: `PLAINTEXT://127.0.0.1:${kafka},CONTROLLER://127.0.0.1:${kafkaController}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${kafka}`,
    'log.dirs': logDir,
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

export async function prepare(stack: StackInfo, log: Log): Promise<ProcessSpec[]> {
  const dir = join(stack.dataDir, 'kafka')
  const logDir = join(dir, 'log')
  const config = join(dir, 'server.properties')
  const logConfig = join(dir, 'log4j2.properties')
  const java = await findJava(log)
  const classes = ['-cp', join(await install(log), 'jars', '*')]
  await mkdir(dir, { recursive: true })
  await writeFile(logConfig, logging)

  if (!existsSync(logDir)) {
    // Formatted beside and renamed, so that an interrupted start begins again.
    const fresh = `${logDir}.tmp`
    await rm(fresh, { recursive: true, force: true })
    await writeFile(config, settings(stack, fresh))
    const clusterId = Buffer.from(crypto.randomUUID().replaceAll('-', ''), 'hex').toString(
      'base64url',
    )
    await run(java, [
      ...[...jvmFlags, ...classes, 'kafka.tools.StorageTool'],
      // In one word, since the id may begin with a dash.
      ...['format', `--cluster-id=${clusterId}`, '--config', config],
    ])
    await rename(fresh, logDir)
  }
  await writeFile(config, settings(stack, logDir))

  const ports = [stack.ports.kafka, stack.ports.kafkaController]
  const log4j = `-Dlog4j2.configurationFile=${logConfig}`
  return [
    {
      name: 'kafka',
      kind: 'engine',
      command: java,
      args: [...jvmFlags, log4j, ...classes, 'kafka.Kafka', config],
      env: baseEnv(),
      cwd: dir,
      ports,
      probe: async () => {
        await probeTcp(stack.ports.kafka)
        await withKafkaAdmin(stack.urls.kafkaBrokers, (admin) => admin.describeCluster())
      },
    },
  ]
}

export const setUp = (stack: StackInfo) => setUpTopics(stack.urls.kafkaBrokers, stack.partitions)
