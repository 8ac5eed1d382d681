import { z } from 'zod'
import {
  authEnv,
  databaseEnv,
  env,
  kafkaEnv,
  loadConfig,
  processEnv,
  redisEnv,
  shopEnv,
} from '../../shared/config.ts'
import { operatorEnv } from '../../shared/operators.ts'
import { rateLimitEnv } from '../../shared/rate-limits.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...redisEnv,
  ...rateLimitEnv('purchase'),
  ...authEnv,
  ...shopEnv,
  ...operatorEnv,
  GRPC_PORT: env.port,
  GRPC_ADDRESS: env.text,
  /** Streams of progress that are open at once, per replica. */
  EVENT_STREAMS_MAX: env.count.default(500),
  EVENT_STREAM_DEADLINE_MS: env.durationMs.default(300_000),
  /** Whether only customers with a verified email address may buy. */
  REQUIRE_VERIFIED_EMAIL: z.stringbool().default(false),
  /** When a purchase has not moved for this long, its saga is asked for again. */
  SAGA_OVERDUE_MS: env.durationMs.default(300_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
