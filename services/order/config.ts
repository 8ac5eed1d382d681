import {
  authEnv,
  databaseEnv,
  env,
  kafkaEnv,
  loadConfig,
  processEnv,
  redisEnv,
} from '../../shared/config.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...redisEnv,
  ...authEnv,
  /** How long an order may be PENDING before the orchestrator is asked how its purchase ended. */
  SETTLEMENT_OVERDUE_MS: env.durationMs.default(60_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
