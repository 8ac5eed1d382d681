import {
  authEnv,
  databaseEnv,
  env,
  kafkaEnv,
  loadConfig,
  processEnv,
  shopEnv,
} from '../../shared/config.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...authEnv,
  ...shopEnv,
  GRPC_ADDRESS: env.text,
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
