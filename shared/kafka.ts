import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, type KafkaMessage, logLevel, Partitioners } from 'kafkajs'
import { createAssigner } from './assigner.ts'
import { deadLetterHeaders } from './contracts/dead-letters.ts'
import type { Topic } from './contracts/topics.ts'
import { type FaultConfig, injectFaults } from './fault-injection.ts'
import { isDeterministic, NoReplyError, PoisonError } from './faults.ts'
import './kafkajs-timer.ts'
import { createKeyedQueue } from './keyed-queue.ts'
import type { Logger } from './logger.ts'
import type { Publish } from './messages.ts'
import type { Metrics } from './metrics.ts'
import { createOffsetTracker } from './offset-tracker.ts'
import { createPublisher } from './publisher.ts'

/** A message as it is read; `topic` is without the prefix. */
export type Message = {
  topic: Topic
  partition: number
  offset: string
  key: string
  headers: Record<string, string>
  value: string
  /** When it was produced, epoch ms. */
  timestamp: number
}

export type KafkaConfig = {
  KAFKA_BROKERS: string[]
  KAFKA_TOPIC_PREFIX: string
  CONSUMER_CONCURRENCY: number
} & FaultConfig

export type ConsumeOptions = {
  /** The consumer group; replicas of one service share it. */
  group: string
  topics: Topic[]
  /** Ends when the message is done for good. What it throws decides: see `shared/faults.ts`. */
  handle: (message: Message) => Promise<void>
  /** Called before a message is dead-lettered, e.g. to answer it. */
  onPoison?: ((message: Message, error: Error) => Promise<void>) | undefined
}

/** Sized so that a killed member is replaced soon. */
const groupTimings = { sessionTimeout: 10_000, heartbeatInterval: 2_000, rebalanceTimeout: 15_000 }
/**
 * A fetch that comes sooner after the one before waits for that long: under load a fetch then brings several messages,
 * and a message that comes alone is read at once.
 */
const fetchPaceMs = 10
/** A fetch ends at the first message; with none it is asked again only so that closing does not wait long. */
const fetchWaitMs = 1_000
const commitIntervalMs = 1_000
const drainDeadlineMs = 8_000
const firstRetryMs = 100
const lastRetryMs = 5_000
/** How many deterministic errors in a row make their message count as poison. */
const poisonAttempts = 5

export type KafkaClient = Awaited<ReturnType<typeof connectKafka>>

/** The one door to Kafka: nothing else imports kafkajs, so that the client can be replaced. */
export async function connectKafka(
  clientId: string,
  config: KafkaConfig,
  { logger, metrics }: { logger: Logger; metrics: Metrics },
) {
  const kafka = new Kafka({
    clientId,
    brokers: config.KAFKA_BROKERS,
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => logger.warn({ kafka: entry.log.message }, 'kafka client'),
  })
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  })
  await producer.connect()
  const publish = createPublisher(producer, config.KAFKA_TOPIC_PREFIX)
  const consumers: { close(): Promise<void> }[] = []
  const instanceId = randomUUID()

  async function consume(options: ConsumeOptions) {
    const deps = { logger, metrics, publish, instanceId }
    const consumer = await startConsumer(kafka, config, options, deps)
    consumers.push(consumer)
    return consumer
  }

  const client = {
    /** Only a consumer sends bytes on; everybody else says what they mean. */
    publish: publish as Publish,
    consume,
    /** Finishes and commits what is in flight, then leaves the groups and disconnects. */
    async close() {
      await Promise.all(consumers.map((consumer) => consumer.close()))
      await producer.disconnect()
    },
  }
  return config.FAULTS.length === 0 ? client : injectFaults(client, config, logger)
}

type ConsumerDeps = {
  logger: Logger
  metrics: Metrics
  publish: ReturnType<typeof createPublisher>
  instanceId: string
}

async function startConsumer(
  kafka: Kafka,
  config: KafkaConfig,
  options: ConsumeOptions,
  { logger, metrics, publish, instanceId }: ConsumerDeps,
) {
  const prefix = config.KAFKA_TOPIC_PREFIX
  const queue = createKeyedQueue(config.CONSUMER_CONCURRENCY)
  const stopping = new AbortController()
  const { assigner, partitionOf } = createAssigner(instanceId)
  const consumer = kafka.consumer({
    groupId: prefix + options.group,
    partitionAssigners: [assigner],
    ...groupTimings,
    maxWaitTimeInMs: fetchWaitMs,
    allowAutoTopicCreation: false,
    retry: { retries: 10, maxRetryTime: 2_000, restartOnFailure: async () => true },
  })
  let trackers = new Map<string, ReturnType<typeof createOffsetTracker>>()
  let assigned: Record<string, number[]> = {}
  let joined = false
  let draining = false
  let fetchedAt = 0

  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    // A new generation reads again from the committed offsets, so what is known of the old one is void.
    trackers = new Map()
    assigned = payload.memberAssignment
    joined = true
  })
  for (const event of [consumer.events.CRASH, consumer.events.STOP, consumer.events.REBALANCING]) {
    consumer.on(event, () => {
      joined = false
    })
  }

  consumer.on(consumer.events.CRASH, ({ payload: { restart, error } }) => {
    if (restart || draining) return
    // kafkajs gives up for good on what it takes for a bug, its own too. Uncaught on purpose: the process ends, and
    // its supervisor starts a new one.
    setImmediate(() => {
      throw error
    })
  })

  function trackerOf(topic: string, partition: number) {
    const id = `${topic}/${partition}`
    const tracker = trackers.get(id) ?? createOffsetTracker()
    trackers.set(id, tracker)
    return tracker
  }

  async function deadLetter(message: Message, raw: KafkaMessage, error: Error) {
    await options.onPoison?.(message, error)
    await publish('dead-letters', {
      key: raw.key,
      value: raw.value,
      headers: {
        ...raw.headers,
        [deadLetterHeaders.error]: `${error.name}: ${error.message}`.slice(0, 1_000),
        [deadLetterHeaders.group]: options.group,
        [deadLetterHeaders.topic]: message.topic,
        [deadLetterHeaders.partition]: String(message.partition),
        [deadLetterHeaders.offset]: message.offset,
        [deadLetterHeaders.time]: new Date().toISOString(),
      },
    })
    logger.error({ err: error, ...position(message) }, 'message dead-lettered')
  }

  /** Ends when the message is done; false when the process stops first, so that it stays uncommitted. */
  async function finish(message: Message, raw: KafkaMessage): Promise<boolean> {
    let deterministic = 0
    for (let attempt = 1; ; attempt++) {
      try {
        await options.handle(message)
        metrics.messages.inc({ topic: message.topic, outcome: 'handled' })
        return true
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown))
        if (error instanceof NoReplyError) {
          logger.warn({ err: error, ...position(message) }, 'message given up without a reply')
          metrics.messages.inc({ topic: message.topic, outcome: 'no_reply' })
          return true
        }
        deterministic = isDeterministic(error) ? deterministic + 1 : 0
        const poison = error instanceof PoisonError || deterministic >= poisonAttempts
        if (poison && (await settled(deadLetter(message, raw, error)))) {
          metrics.messages.inc({ topic: message.topic, outcome: 'dead_lettered' })
          return true
        }
        logger.warn({ err: error, attempt, ...position(message) }, 'message will be tried again')
        metrics.messages.inc({ topic: message.topic, outcome: 'retried' })
        const delay = Math.min(firstRetryMs * 2 ** (attempt - 1), lastRetryMs)
        await sleep(delay, undefined, { signal: stopping.signal }).catch(() => undefined)
        if (stopping.signal.aborted) return false
      }
    }
  }

  async function commit() {
    const current = trackers
    const offsets = [...current].flatMap(([id, tracker]) => {
      const offset = tracker.committable()
      const [topic = '', partition] = id.split('/')
      return offset === undefined ? [] : [{ topic, partition: Number(partition), offset }]
    })
    if (offsets.length === 0) return
    await consumer.commitOffsets(offsets.map((o) => ({ ...o, offset: String(o.offset) })))
    for (const { topic, partition, offset } of offsets) {
      current.get(`${topic}/${partition}`)?.committed(offset)
    }
  }

  await consumer.connect()
  await consumer.subscribe({ topics: options.topics.map((t) => prefix + t), fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: 10,
    async eachBatch({ batch, resolveOffset, heartbeat, isRunning, isStale }) {
      // Nothing new is begun; the sleep keeps the fetch loop from spinning until the consumer stops.
      if (draining) return void (await sleep(50))
      const topic = batch.topic.slice(prefix.length) as Topic
      for (const raw of batch.messages) {
        while (queue.full && isRunning() && !isStale() && !draining) {
          await Promise.race([queue.changed(), sleep(1_000)])
          await heartbeat()
        }
        if (draining || !isRunning() || isStale()) return
        const tracker = trackerOf(batch.topic, batch.partition)
        const message = readMessage(topic, batch.partition, raw)
        const offset = BigInt(raw.offset)
        tracker.started(offset)
        metrics.inFlight.inc({ topic })
        queue.add(message.key || `${batch.partition}/${raw.offset}`, async () => {
          if (!stopping.signal.aborted && (await finish(message, raw))) tracker.finished(offset)
          metrics.inFlight.dec({ topic })
        })
        resolveOffset(raw.offset)
      }
      await heartbeat()
      const now = performance.now()
      if (now - fetchedAt < fetchPaceMs) await sleep(fetchPaceMs)
      fetchedAt = performance.now()
    },
  })
  const committing = setInterval(() => {
    // A commit that fails is repeated with the next; after a rebalance the messages are simply read again.
    commit().catch((err) => logger.debug({ err }, 'offsets not committed'))
  }, commitIntervalMs)

  return {
    /** Whether this member has its place in the group. */
    joined: () => joined,
    /** Whether messages of this key come to this member, as far as it knows. */
    reads(topic: Topic, key: string): boolean {
      const full = prefix + topic
      return joined && !draining && Boolean(assigned[full]?.includes(partitionOf(full, key)))
    },
    /** Lets what is in flight end and commits it; what does not end in time stays uncommitted. */
    async close() {
      if (draining) return
      draining = true
      const deadline = Date.now() + drainDeadlineMs
      while (queue.size > 0 && Date.now() < deadline) await sleep(20)
      stopping.abort()
      clearInterval(committing)
      await commit().catch((err) => logger.debug({ err }, 'offsets not committed'))
      await consumer.stop()
      await consumer.disconnect()
    },
  }
}

async function settled(promise: Promise<void>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  )
}

function position({ topic, partition, offset, headers }: Message) {
  const { purchase_id, command_id } = headers
  return { topic, partition, offset, purchase_id, command_id }
}

function readMessage(topic: Topic, partition: number, raw: KafkaMessage): Message {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(raw.headers ?? {})) {
    if (value !== undefined) headers[name] = String(Array.isArray(value) ? value[0] : value)
  }
  const { offset } = raw
  const key = raw.key?.toString() ?? ''
  const value = raw.value?.toString() ?? ''
  return { topic, partition, offset, key, headers, value, timestamp: Number(raw.timestamp) }
}
