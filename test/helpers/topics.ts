import { randomBytes } from 'node:crypto'
import { type Topic, topicSettings, topics } from '../../shared/contracts/topics.ts'
import { connectAdmin } from '../../shared/kafka/admin.ts'
import { connectKafka } from '../../shared/kafka/client.ts'
import type { KafkaConfig } from '../../shared/kafka/config.ts'
import {
  connectRawProducer,
  headerText,
  type RawOutgoing,
} from '../../shared/kafka/raw-messages.ts'
import { followTopic } from '../../shared/kafka/read-topic.ts'
import { createLogger } from '../../shared/runtime/logger.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { testStack } from './stack.ts'

/** A message as it is stored in Kafka. */
export type StoredMessage = {
  partition: number
  offset: string
  key: string
  headers: Record<string, string>
  value: string
}

/** The places of a consumer on them. */
export const testConcurrency = 16

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
  const admin = await connectAdmin(kafkaBrokers)
  const names = topics.map((topic) => prefix + topic)
  // A broker that is busy may not answer in time, whether it has made them or not.
  await waitFor('the topics', async () => {
    await admin.createTopics(
      topics.map((topic) => ({
        name: prefix + topic,
        partitions,
        settings: topicSettings[topic] ?? {},
      })),
    )
    return true
  })
  const config: KafkaConfig = {
    KAFKA_BROKERS: kafkaBrokers,
    KAFKA_TOPIC_PREFIX: prefix,
    CONSUMER_CONCURRENCY: testConcurrency,
    FAULTS: [],
    FAULT_SEED: 1,
  }
  const open = new AsyncDisposableStack()
  open.defer(async () => {
    await admin.deleteTopics(names)
    await admin.close()
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
    /** A separate producer that sends any message; returns its position. */
    async connectProducer() {
      const producer = open.adopt(await connectRawProducer(kafkaBrokers), (it) => it.close())
      return (topic: Topic, message: RawOutgoing, options?: { gzip?: boolean }) =>
        producer.send(prefix + topic, message, options)
    },
    /** All messages of a topic; grows as more arrive. */
    async read(topic: Topic): Promise<StoredMessage[]> {
      const messages: StoredMessage[] = []
      const reading = { group: `${prefix}reader`, topic: prefix + topic }
      const reader = await followTopic(kafkaBrokers, reading, (partition, message) => {
        const names = Object.keys(message.headers ?? {})
        messages.push({
          partition,
          offset: message.offset,
          key: String(message.key ?? ''),
          headers: Object.fromEntries(names.map((name) => [name, headerText(message, name)])),
          value: String(message.value),
        })
      })
      open.defer(() => reader.close())
      return messages
    },
    /** The committed offsets of a group by partition: where it would continue, or -1. */
    committed: (group: string, topic: Topic) => admin.committed(prefix + group, prefix + topic),
    /** The number of messages that were sent to a topic. */
    async count(topic: Topic): Promise<number> {
      const ends = await admin.ends(prefix + topic)
      return ends.reduce((sum, { high }) => sum + Number(high), 0)
    },
    close: () => open.disposeAsync(),
  }
}

export type TestTopics = Awaited<ReturnType<typeof createTestTopics>>
