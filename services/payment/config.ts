import { z } from 'zod'
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
  /** How long one call of the provider may take. */
  PROVIDER_TIMEOUT_MS: env.durationMs.default(2_000),
  /** How many calls to give money back fail with the method sim_refund_fails. */
  SIM_REFUND_FAILURES: z.coerce.number().int().min(0).default(1_000_000),
  /** The simulator stands for another company's system, so it shares no connection with ours. */
  SIM_DATABASE_POOL_SIZE: env.count.default(5),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
