import { z } from 'zod'
import { redisEnv } from '../../shared/cache/config.ts'
import { shopEnv } from '../../shared/contracts/money.ts'
import { databaseEnv } from '../../shared/database/config.ts'
import { grpcEnv } from '../../shared/grpc/config.ts'
import { authEnv } from '../../shared/http/auth.ts'
import { operatorEnv } from '../../shared/http/operators.ts'
import { rateLimitEnv } from '../../shared/http/rate-limits.ts'
import { kafkaEnv } from '../../shared/kafka/config.ts'
import { env, loadConfig, processEnv } from '../../shared/runtime/config.ts'
import type { Limits } from './service.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...redisEnv,
  ...rateLimitEnv('purchase'),
  ...authEnv,
  ...shopEnv,
  ...operatorEnv,
  ...grpcEnv,
  GRPC_ADDRESS: env.text,
  /** Streams of progress that are open at once, per replica. */
  EVENT_STREAMS_MAX: env.count.default(500),
  /** Whether only customers with a verified email address may buy. */
  REQUIRE_VERIFIED_EMAIL: z.stringbool().default(false),
  /** Purchases of one customer that have not ended; one more is answered 429. */
  MAX_UNFINISHED_PER_CUSTOMER: env.count.default(2_000),
  /** Purchases that have not ended, in all; one more is answered 503. */
  MAX_UNFINISHED_PURCHASES: env.count.default(50_000),
  /** Limit on the sagas of one customer that are in progress at once; further purchases wait for their turn. */
  MAX_STARTED_PER_CUSTOMER: env.count.default(32),
  /** Limit on all sagas that are in progress at once: about 100 for each replica of the orchestrator. */
  MAX_STARTED_PURCHASES: env.count.default(192),
  /** How long a purchase keeps name, address and phone number after it was accepted. */
  DELIVERY_RETENTION_DAYS: env.count.default(730),
  /** A purchase without progress for this long is stalled: its saga is requested again. */
  SAGA_OVERDUE_MS: env.durationMs.default(300_000),
}

export type Config = ReturnType<typeof readConfig>

export function limitsOf(config: Config): Limits {
  return {
    maxUnfinished: config.MAX_UNFINISHED_PURCHASES,
    maxUnfinishedPerCustomer: config.MAX_UNFINISHED_PER_CUSTOMER,
    maxStarted: config.MAX_STARTED_PURCHASES,
    maxStartedPerCustomer: config.MAX_STARTED_PER_CUSTOMER,
  }
}

export function readConfig() {
  return loadConfig(variables, process.env)
}
