import { commandTopics } from './steps.ts'

/** Every Kafka topic of the shop. All are created up front with the same number of partitions. */
export const topics = [
  'purchases',
  ...commandTopics,
  'replies',
  'purchase-results',
  'emails',
  'dead-letters',
] as const

export type Topic = (typeof topics)[number]

/** Bounds the useful replicas of one consumer group. */
export const partitionsPerTopic = 10

/**
 * What a topic is created with beyond the broker's defaults. A dead letter waits for a person, so it lives until it
 * is deleted; and it must have room for the largest message with the headers that say why it is there.
 */
export const topicSettings: Partial<Record<Topic, Record<string, string>>> = {
  'dead-letters': { 'retention.ms': '-1', 'max.message.bytes': '2097152' },
}

/** The broker's default limit for one message: key, value, headers and framing. */
const defaultMaxMessageBytes = 1_048_588

/** The most bytes that one message of a topic may have. */
export function maxMessageBytes(topic: Topic): number {
  return Number(topicSettings[topic]?.['max.message.bytes'] ?? defaultMaxMessageBytes)
}
