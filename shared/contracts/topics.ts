/** Every Kafka topic of the shop. All are created up front with the same number of partitions. */
export const topics = [
  'purchases',
  'product-commands',
  'order-commands',
  'payment-commands',
  'replies',
  'purchase-results',
  'emails',
  'dead-letters',
] as const

export type Topic = (typeof topics)[number]

/** Bounds the useful replicas of one consumer group. */
export const partitionsPerTopic = 10
