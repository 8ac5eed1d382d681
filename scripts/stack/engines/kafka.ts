import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { partitionsPerTopic } from '../../../shared/contracts/topics.ts'
import { connectAdmin } from '../../../shared/kafka/admin.ts'
import { cached } from '../cache.ts'
import type { StackInfo } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import type { Log } from '../log.ts'
import { probeTcp } from '../probe.ts'
import { pipInstall, python, run } from '../run-command.ts'
import { setUpTopics } from '../set-up/topics.ts'
import { findJava } from './java.ts'

const here = import.meta.dirname
const jarList = join(here, 'kafka-jars.txt')
export const version = '4.1.0'
// The quick compiler only: a second less to start, and less CPU in all for the first 20000 messages; later the same.
const jvmFlags = ['-XX:TieredStopAtLevel=1', '-XX:+UseG1GC']

export async function install(log: Log): Promise<string> {
  await findJava(log)
  const list = createHash('sha256')
    .update(await readFile(jarList))
    .digest('hex')
  return cached(`kafka-${version}-${list.slice(0, 8)}`, log, (dir) => mavenJars(jarList, dir))
}

/** Fetches the jars of a list, each with its checksum, into `jars` of a folder. */
export async function mavenJars(listing: string, dir: string): Promise<void> {
  const tools = join(dir, 'tools')
  await pipInstall('maven-artifact==0.3.5', tools)
  const jars = join(dir, 'jars')
  await mkdir(jars)
  await run(python, [join(here, 'maven.py'), listing, jars], { env: { PYTHONPATH: tools } })
  await rm(tools, { recursive: true })
}

const logging = `
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
`

/** The broker's settings natively and in Compose; addresses and folders are added. */
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

/** One broker, which is a controller too. */
export type Broker = {
  /** Of its process. */
  name: string
  /** Of its files. */
  dir: string
  port: number
  controllerPort: number
  /** `id@host:port` of every controller, separated by commas. */
  voters: string
  /** The same for all brokers of a cluster. */
  clusterId: string
  settings: Record<string, string | number | boolean>
  maxHeap: string
}

/** A new id for a cluster. */
export function newClusterId(): string {
  return Buffer.from(crypto.randomUUID().replaceAll('-', ''), 'hex').toString('base64url')
}

function propertiesOf(broker: Broker, logDir: string): string {
  const { port, controllerPort } = broker
  return Object.entries({
    ...broker.settings,
    'controller.quorum.voters': broker.voters,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'log.dirs': logDir,
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

/** Writes what a broker needs before it starts. */
export async function brokerSpec(broker: Broker, log: Log): Promise<ProcessSpec> {
  const { name, dir, port, controllerPort, clusterId } = broker
  const logDir = join(dir, 'log')
  const config = join(dir, 'server.properties')
  const logConfig = join(dir, 'log4j2.properties')
  const java = await findJava(log)
  const flags = [`-Xmx${broker.maxHeap}`, ...jvmFlags]
  const classes = ['-cp', join(await install(log), 'jars', '*')]
  await mkdir(dir, { recursive: true })
  await writeFile(logConfig, logging)

  if (!existsSync(logDir)) {
    // Formatted in a temporary folder and renamed, so that an interrupted start can be repeated.
    const fresh = `${logDir}.tmp`
    await rm(fresh, { recursive: true, force: true })
    await writeFile(config, propertiesOf(broker, fresh))
    await run(java, [
      ...[...flags, ...classes, 'kafka.tools.StorageTool'],
      // In one word, since the id may begin with a dash.
      ...['format', `--cluster-id=${clusterId}`, '--config', config],
    ])
    await rename(fresh, logDir)
  }
  await writeFile(config, propertiesOf(broker, logDir))

  const log4j = `-Dlog4j2.configurationFile=${logConfig}`
  return {
    name,
    kind: 'engine',
    command: java,
    args: [...flags, log4j, ...classes, 'kafka.Kafka', config],
    env: baseEnv(),
    cwd: dir,
    ports: [port, controllerPort],
    probe: async () => {
      await probeTcp(port)
      await using open = new AsyncDisposableStack()
      const connecting = connectAdmin([`127.0.0.1:${port}`], { retries: 2 })
      const admin = open.adopt(await connecting, (it) => it.close())
      await admin.probe()
    },
  }
}

export async function prepare(stack: StackInfo, log: Log): Promise<ProcessSpec[]> {
  const { kafka: port, kafkaController: controllerPort } = stack.ports
  const broker: Broker = {
    name: 'kafka',
    dir: join(stack.dataDir, 'kafka'),
    port,
    controllerPort,
    voters: `1@127.0.0.1:${controllerPort}`,
    clusterId: newClusterId(),
    settings: brokerSettings,
    maxHeap: '512m',
  }
  return [await brokerSpec(broker, log)]
}

export const setUp = (stack: StackInfo) => setUpTopics(stack.urls.kafkaBrokers, stack.partitions)
