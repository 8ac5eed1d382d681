import { z } from 'zod'
import { env } from '../runtime/config.ts'

/** The variables of every process that owns a database. */
export const databaseEnv = {
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  DATABASE_POOL_SIZE: env.count.default(10),
}

export type DatabaseConfig = { DATABASE_URL: string; DATABASE_POOL_SIZE: number }
