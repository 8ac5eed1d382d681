import { randomBytes } from 'node:crypto'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { waitFor } from '../../scripts/wait-for.ts'
import { type Topic, topicSettings, topics } from '../../shared/contracts/topics.ts'
import { connectKafka, type KafkaConfig } from '../../shared/kafka.ts'
import { createLogger } from '../../shared/logger.ts'
import { createMetrics } from '../../shared/metrics.ts'
import type { Outgoing } from '../../shared/publisher.ts'
import { testStack } from './stack.ts'

/** A message as it lies in Kafka. */
export type StoredMessage = {
  partition: number
  offset: string
  key: string
  headers: Record<string, string>
  value: string
}

/**
 * Topics of their own for one test file: the prefix keeps them and their groups apart from the stack's. `brokers` is
 * for tests that break theirs.
 */
export async function createTestTopics({
  partitions = 2,
  brokers,
}: {
  partitions?: number
  brokers?: string[]
} = {}) {
  const kafkaBrokers = brokers ?? (await testStack()).urls.kafkaBrokers
  const prefix = `test-${randomBytes(4).toString('hex')}-`
  const kafka = new Kafka({ brokers: kafkaBrokers, logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const names = topics.map((topic) => prefix + topic)
  // A broker that has just made a topic may not know it yet.
  await waitFor('the topics', async () => {
    await admin.createTopics({
      waitForLeaders: true,
      topics: topics.map((topic) => ({
        topic: prefix + topic,
        numPartitions: partitions,
        configEntries: Object.entries(topicSettings[topic] ?? {}).map(([name, value]) => ({
          name,
          value,
        })),
      })),
    })
    return true
  })
  const config: KafkaConfig = {
    KAFKA_BROKERS: kafkaBrokers,
    KAFKA_TOPIC_PREFIX: prefix,
    CONSUMER_CONCURRENCY: 16,
    FAULTS: [],
    FAULT_SEED: 1,
  }
  const open = new AsyncDisposableStack()
  open.defer(async () => {
    await admin.deleteTopics({ topics: names })
    await admin.disconnect()
  })

  return {
    config,
    connect: (
      name: string,
      {
        metrics = createMetrics(name),
        ...overrides
      }: Partial<KafkaConfig> & { metrics?: ReturnType<typeof createMetrics> } = {},
    ) =>
      connectKafka(
        name,
        { ...config, ...overrides },
        { logger: createLogger(name, 'silent'), metrics },
      ),
    /** A connection of its own that sends whatever it is told; answers where the message lies. */
    async connectProducer() {
      const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
      await producer.connect()
      open.defer(() => producer.disconnect())
      return async (topic: Topic, message: Omit<Outgoing, 'key'> & Partial<StoredMessage>) => {
        const [sent] = await producer.send({ topic: prefix + topic, messages: [message] })
        return { partition: sent?.partition, offset: sent?.baseOffset }
      }
    },
    /** All that lies on a topic; grows as more comes. */
    async read(topic: Topic): Promise<StoredMessage[]> {
      const messages: StoredMessage[] = []
      const groupId = `${prefix}reader-${randomBytes(4).toString('hex')}`
      const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 })
      await consumer.connect()
      open.defer(() => consumer.disconnect())
      await consumer.subscribe({ topic: prefix + topic, fromBeginning: true })
      await consumer.run({
        async eachMessage({ partition, message: { offset, key, value, headers = {} } }) {
          const texts = Object.entries(headers).map(([name, text]) => [name, String(text)])
          messages.push({
            partition,
            offset,
            key: String(key ?? ''),
            headers: Object.fromEntries(texts),
            value: String(value),
          })
        },
      })
      return messages
    },
    /** What a group has committed of a topic, by partition: the offset it would go on at, -1 for nothing. */
    async committed(group: string, topic: Topic): Promise<number[]> {
      const [found] = await admin.fetchOffsets({
        groupId: prefix + group,
        topics: [prefix + topic],
      })
      const offsets = [...(found?.partitions ?? [])].sort((a, b) => a.partition - b.partition)
      return offsets.map(({ offset }) => Number(offset))
    },
    /** How many messages a topic has been given. */
    async count(topic: Topic): Promise<number> {
      const offsets = await admin.fetchTopicOffsets(prefix + topic)
      return offsets.reduce((sum, { high }) => sum + Number(high), 0)
    },
    close: () => open.disposeAsync(),
  }
}

export type TestTopics = Awaited<ReturnType<typeof createTestTopics>>
