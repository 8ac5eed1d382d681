import { z } from 'zod'
import { authEnv, databaseEnv, env, kafkaEnv, loadConfig, processEnv } from '../../shared/config.ts'
import { minorUnits } from '../../shared/money.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...authEnv,
  GRPC_PORT: env.port,
  SHOP_CURRENCY: z
    .string()
    .refine((code) => minorUnits(code) !== undefined, 'must be an ISO 4217 code')
    .default('VND'),
  SETTLEMENT_OVERDUE_MS: env.durationMs.default(60_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
