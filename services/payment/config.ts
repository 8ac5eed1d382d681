import { z } from 'zod'
import { redisEnv } from '../../shared/cache/config.ts'
import { databaseEnv } from '../../shared/database/config.ts'
import { grpcEnv } from '../../shared/grpc/config.ts'
import { authEnv } from '../../shared/http/auth.ts'
import { operatorEnv } from '../../shared/http/operators.ts'
import { kafkaEnv } from '../../shared/kafka/config.ts'
import { env, loadConfig, processEnv } from '../../shared/runtime/config.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...redisEnv,
  ...authEnv,
  ...grpcEnv,
  GRPC_ADDRESS: env.text,
  ...operatorEnv,
  /** Stripe's API, or a simulator that speaks it. */
  STRIPE_API_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http or https address' })
    .refine((url) => new URL(url).pathname === '/', 'must have no path'),
  STRIPE_API_KEY: z.string().regex(/^[rs]k_(test|live)_\w+$/, 'must be a secret or restricted key'),
  /** What the provider signs its events with: more than one while a secret is replaced. */
  STRIPE_WEBHOOK_SECRETS: env.list,
  /** How old an event's signature may be. */
  WEBHOOK_TOLERANCE_SECONDS: env.count.default(300),
  /** How long a payment may be PENDING before the provider is asked what became of it. */
  PENDING_OVERDUE_MS: env.durationMs.default(60_000),
  /** How long a processed event is kept. */
  EVENT_RETENTION_SECONDS: env.count.default(30 * 24 * 60 * 60),
  /** How long one call of the provider may take. */
  PROVIDER_TIMEOUT_MS: env.durationMs.default(2_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
