import { z } from 'zod'
import { redisEnv } from '../../shared/cache/config.ts'
import { shopEnv } from '../../shared/contracts/money.ts'
import { databaseEnv } from '../../shared/database/config.ts'
import { grpcEnv } from '../../shared/grpc/config.ts'
import { authEnv } from '../../shared/http/auth.ts'
import { kafkaEnv } from '../../shared/kafka/config.ts'
import { env, loadConfig, processEnv } from '../../shared/runtime/config.ts'
import { categoryMakers } from './catalog.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...redisEnv,
  ...authEnv,
  ...shopEnv,
  ...grpcEnv,
  GRPC_ADDRESS: env.text,
  /** Who makes categories: any account, as in the original README, or accounts with the role `admin`. */
  CATEGORIES_BY: z.enum(categoryMakers).default('anybody'),
  SETTLEMENT_OVERDUE_MS: env.durationMs.default(60_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
