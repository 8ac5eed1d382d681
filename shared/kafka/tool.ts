import { Kafka, logLevel } from './vendor.ts'

/** A silent kafkajs client for what is no service: admin, raw producer and readers of tools and tests. */
export function openTool(brokers: string[], { retries = 5 }: { retries?: number } = {}) {
  return new Kafka({ clientId: 'tool', brokers, logLevel: logLevel.NOTHING, retry: { retries } })
}
