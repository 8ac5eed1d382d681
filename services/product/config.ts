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

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...redisEnv,
  ...authEnv,
  ...shopEnv,
  GRPC_PORT: env.port,
  SETTLEMENT_OVERDUE_MS: env.durationMs.default(60_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
