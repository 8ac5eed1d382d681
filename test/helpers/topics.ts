import { randomBytes } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { waitFor } from '../../scripts/wait-for.ts'
import { topics } from '../../shared/contracts/topics.ts'
import { connectKafka, type KafkaConfig } from '../../shared/kafka.ts'
import { createLogger } from '../../shared/logger.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { testStack } from './stack.ts'

const partitions = 2

/** Topics of their own for one test file: the prefix keeps them and their groups apart from the stack's. */
export async function createTestTopics() {
  const { urls } = await testStack()
  const prefix = `test-${randomBytes(4).toString('hex')}-`
  const kafka = new Kafka({ brokers: urls.kafkaBrokers, logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const names = topics.map((topic) => prefix + topic)
  // A broker that has just made a topic may not know it yet.
  await waitFor('the topics', async () => {
    await admin.createTopics({
      waitForLeaders: true,
      topics: names.map((topic) => ({ topic, numPartitions: partitions })),
    })
    return true
  })
  const config: KafkaConfig = {
    KAFKA_BROKERS: urls.kafkaBrokers,
    KAFKA_TOPIC_PREFIX: prefix,
    CONSUMER_CONCURRENCY: 16,
  }
  return {
    config,
    connect: (name: string) =>
      connectKafka(name, config, {
        logger: createLogger(name, 'silent'),
        metrics: createMetrics(name),
      }),
    close: async () => {
      await admin.deleteTopics({ topics: names })
      await admin.disconnect()
    },
  }
}
