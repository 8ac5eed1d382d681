import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka } from 'kafkajs'
import type { Topic } from '../contracts/topics.ts'
import type { ConsumeOptions, Consumer } from '../messaging/bus.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { createAssigner } from './assigner.ts'
import { createAttempts, readMessage } from './attempts.ts'
import type { KafkaConfig } from './config.ts'
import { createKeyedQueue } from './keyed-queue.ts'
import { watchMembership } from './membership.ts'
import { createOffsetTracker } from './offsets.ts'
import type { createPublisher } from './publisher.ts'

/** Sized so that a killed member is replaced soon. */
const groupTimings = { sessionTimeout: 10_000, heartbeatInterval: 2_000, rebalanceTimeout: 15_000 }
/**
 * A fetch that comes sooner after the one before waits for that long: under load a fetch then brings more messages,
 * and a message that comes alone is read at once.
 */
const defaultPaceMs = 10
/** A fetch ends at the first message; with none it is asked again only so that closing does not wait long. */
const fetchWaitMs = 1_000
const commitIntervalMs = 1_000
const drainDeadlineMs = 8_000

type ConsumerDeps = {
  logger: Logger
  metrics: Metrics
  publish: ReturnType<typeof createPublisher>
  instanceId: string
}

/** Joins a consumer group and hands each message to `handle`, keys side by side and one key in order. */
export async function startConsumer(
  kafka: Kafka,
  config: KafkaConfig,
  options: ConsumeOptions,
  { logger, metrics, publish, instanceId }: ConsumerDeps,
): Promise<Consumer> {
  const prefix = config.KAFKA_TOPIC_PREFIX
  const { paceMs = defaultPaceMs } = options
  const queue = createKeyedQueue(config.CONSUMER_CONCURRENCY)
  const stopping = new AbortController()
  const attempts = createAttempts(options, { logger, metrics, publish, stopping: stopping.signal })
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
  let draining = false
  let fetchedAt = 0
  // A new generation reads again from the committed offsets, so what is known of the old one is void.
  const membership = watchMembership(consumer, () => {
    trackers = new Map()
  })

  consumer.on(consumer.events.CRASH, ({ payload: { restart, error } }) => {
    if (restart || draining) return
    // kafkajs stops for good at what it takes for a bug, its own too. Uncaught on purpose: the process ends, and
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
        queue.add(
          message.key || `${batch.partition}/${raw.offset}`,
          async () => {
            if (!stopping.signal.aborted && (await attempts.finish(message, raw)))
              tracker.finished(offset)
            metrics.inFlight.dec({ topic })
          },
          (raw.key?.length ?? 0) + (raw.value?.length ?? 0),
        )
        resolveOffset(raw.offset)
      }
      await heartbeat()
      const sinceLast = performance.now() - fetchedAt
      if (sinceLast < paceMs) await sleep(paceMs - sinceLast)
      fetchedAt = performance.now()
    },
  })
  const committing = setInterval(() => {
    // A commit that fails is repeated with the next; after a rebalance the messages are simply read again.
    commit().catch((err) => logger.debug({ err }, 'offsets not committed'))
  }, commitIntervalMs)

  return {
    joined: membership.joined,
    reads(topic: Topic, key: string): boolean {
      const full = prefix + topic
      return !draining && membership.reads(full, partitionOf(full, key))
    },
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
