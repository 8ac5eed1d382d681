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
  GRPC_ADDRESS: env.text,
  MEDIA_TIMEOUT_MS: env.durationMs.default(500),
  SETTLEMENT_OVERDUE_MS: env.durationMs.default(60_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
