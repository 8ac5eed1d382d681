import { redisEnv } from '../../shared/cache/config.ts'
import { databaseEnv } from '../../shared/database/config.ts'
import { grpcEnv } from '../../shared/grpc/config.ts'
import { authEnv } from '../../shared/http/auth.ts'
import { kafkaEnv } from '../../shared/kafka/config.ts'
import { env, loadConfig, processEnv } from '../../shared/runtime/config.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...redisEnv,
  ...authEnv,
  ...grpcEnv,
  /** How long an order may be PENDING before the orchestrator is asked how its purchase ended. */
  SETTLEMENT_OVERDUE_MS: env.durationMs.default(60_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
