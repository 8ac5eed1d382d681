import { env } from '../runtime/config.ts'

/** The variables of every process that uses Redis. */
export const redisEnv = { REDIS_NODES: env.list }
