import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import kafkajs, { Kafka, logLevel } from 'kafkajs'
import { partitionsPerTopic, topicSettings, topics } from '../../shared/contracts/topics.ts'
import { cached } from '../cache.ts'
import type { Log, ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import { probeTcp } from '../probe.ts'
import { pipInstall, python, run } from '../run.ts'
import type { StackInfo } from '../stack-client.ts'
import { findJava } from './java.ts'

const here = import.meta.dirname
const jarList = join(here, 'kafka-jars.txt')
const version = '4.1.0'
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

function settings(stack: StackInfo, logDir: string): string {
  const { kafka, kafkaController } = stack.ports
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${kafkaController}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${kafka},CONTROLLER://127.0.0.1:${kafkaController}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${kafka}`,
    'log.dirs': logDir,
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
      probe: () => withAdmin(stack, (admin) => admin.describeCluster()).then(() => {}),
    },
  ]
}

type Admin = ReturnType<Kafka['admin']>

async function withAdmin<T>(stack: StackInfo, use: (admin: Admin) => Promise<T>): Promise<T> {
  await probeTcp(stack.ports.kafka)
  const admin = new Kafka({
    clientId: 'launcher',
    brokers: stack.urls.kafkaBrokers,
    logLevel: logLevel.NOTHING,
    retry: { retries: 2 },
  }).admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

export async function setUp(stack: StackInfo): Promise<void> {
  await withAdmin(stack, async (admin) => {
    const existing = new Set(await admin.listTopics())
    const missing = topics.filter((topic) => !existing.has(topic))
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: true,
        topics: missing.map((topic) => ({ topic, numPartitions: partitionsPerTopic })),
      })
    }
    // Also those of a data folder from before a setting was made.
    const entries = (settings: object) =>
      Object.entries(settings).map(([name, value]) => ({ name, value }))
    await admin.alterConfigs({
      validateOnly: false,
      resources: Object.entries(topicSettings).map(([name, settings]) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name,
        configEntries: entries(settings),
      })),
    })
  })
}
