import { randomUUID } from 'node:crypto'
import type { Bus, ConsumeOptions, Consumer, Publish } from '../messaging/bus.ts'
import { injectFaults } from '../messaging/fault-injection.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { KafkaConfig } from './config.ts'
import { startConsumer } from './consumer.ts'
import { createPublisher } from './publisher.ts'
import { Kafka, logLevel, Partitioners } from './vendor.ts'

/** The bus of one process; `close` ends its consumers first. */
export type KafkaClient = Bus & { close(): Promise<void> }

/**
 * Connects a process to Kafka. Services know the `Bus` that it returns; kafkajs stays inside `shared/kafka/`, so that
 * the client library can be replaced there.
 */
export async function connectKafka(
  clientId: string,
  config: KafkaConfig,
  { logger, metrics }: { logger: Logger; metrics: Metrics },
): Promise<KafkaClient> {
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
  const consumers: Consumer[] = []
  const instanceId = randomUUID()

  async function consume(options: ConsumeOptions): Promise<Consumer> {
    const deps = { logger, metrics, publish, instanceId }
    const consumer = await startConsumer(kafka, config, options, deps)
    consumers.push(consumer)
    return consumer
  }

  const client: KafkaClient = {
    /** Only a consumer forwards raw bytes; everyone else sends typed messages. */
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
