import { z } from 'zod'
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
  /** Whether only customers with a verified email address may buy. */
  REQUIRE_VERIFIED_EMAIL: z.stringbool().default(false),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
