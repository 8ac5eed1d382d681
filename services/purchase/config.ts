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
import { rateLimitEnv } from '../../shared/rate-limits.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...redisEnv,
  ...rateLimitEnv('purchase'),
  ...authEnv,
  ...shopEnv,
  GRPC_ADDRESS: env.text,
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
