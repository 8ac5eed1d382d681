import { z } from 'zod'
import { Fault, type FaultConfig } from '../messaging/fault-injection.ts'
import { env } from '../runtime/config.ts'

/** The variables of every process that talks to Kafka. */
export const kafkaEnv = {
  KAFKA_BROKERS: env.list,
  KAFKA_TOPIC_PREFIX: z.string().default(''),
  CONSUMER_CONCURRENCY: env.count.default(64),
  /** What a drill makes go wrong: a JSON list of `Fault`. */
  FAULTS: env.json(z.array(Fault)).default([]),
  FAULT_SEED: z.coerce.number().int().default(1),
}

export type KafkaConfig = {
  KAFKA_BROKERS: string[]
  KAFKA_TOPIC_PREFIX: string
  CONSUMER_CONCURRENCY: number
} & FaultConfig
