import { createHash } from 'node:crypto'
import { Counter, type Registry } from 'prom-client'
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { z } from 'zod'
import { AppError } from './errors.ts'
import type { Logger } from './logger.ts'
import type { Redis } from './redis.ts'

/** What a request is known by. */
export type Subject = { ip: string; account: string; email: string }

/**
 * The limits that exist; a route names its own in `limit`. A request counts for all that `by` says together, and the
 * variable `RATE_LIMIT_<NAME>` overrides how many are let through: requests/seconds.
 */
const limits = {
  register: { by: ['ip'], fallback: '300/60' },
  /** Per account and address: a stranger's guesses do not lock the owner out. */
  login: { by: ['email', 'ip'], fallback: '20/60' },
  /** Guessing a code, and having codes sent. */
  code: { by: ['email', 'ip'], fallback: '20/60' },
  /** High enough for one customer who buys thousands of times at once, as the benchmark does. */
  purchase: { by: ['account'], fallback: '30000/60' },
} as const satisfies Record<string, { by: (keyof Subject)[]; fallback: string }>

export type LimitName = keyof typeof limits

const Rate = z
  .string()
  .regex(/^[1-9]\d{0,8}\/[1-9]\d{0,5}$/, 'must be requests/seconds, such as 20/60')

/** The config variables of some limits. */
export function rateLimitEnv<N extends LimitName>(...names: N[]) {
  return Object.fromEntries(
    names.map((name) => [variableOf(name), Rate.default(limits[name].fallback)]),
  ) as { [K in N as `RATE_LIMIT_${Uppercase<K>}`]: z.ZodDefault<z.ZodString> }
}

const variableOf = <N extends LimitName>(name: N) =>
  `RATE_LIMIT_${name.toUpperCase()}` as `RATE_LIMIT_${Uppercase<N>}`

export type RateLimits = ReturnType<typeof createRateLimits>

/** Counts requests in Redis, for all replicas together. Whenever Redis does not answer, everybody may pass. */
export function createRateLimits({
  redis,
  config,
  logger,
  registry,
  prefix = '',
}: {
  redis: Redis
  /** Of which the `RATE_LIMIT_<NAME>` variables are read. */
  config: Record<string, unknown>
  logger: Logger
  registry: Registry
  prefix?: string
}) {
  const decisions = new Counter({
    name: 'rate_limit_decisions_total',
    help: 'Requests of limited routes: passed, refused, or passed without Redis',
    labelNames: ['limit', 'outcome'],
    registers: [registry],
  })
  const breaker = redis.breaker('rate-limit')
  const names = (Object.keys(limits) as LimitName[]).filter((name) => config[variableOf(name)])
  const limiters = new Map(
    names.map((name) => {
      const rate = String(config[variableOf(name)]).split('/')
      const [points, duration] = rate.map(Number) as [number, number]
      const limiter = new RateLimiterRedis({
        storeClient: redis.cluster,
        keyPrefix: `${prefix}limit:${name}`,
        points,
        duration,
      })
      return [name, limiter]
    }),
  )

  return {
    /** Counts a request; throws AppError('too_many_requests') when it is one too many. */
    async consume(name: LimitName, subject: Subject): Promise<void> {
      const limiter = limiters.get(name)
      if (!limiter) return
      // Hashed: no address of a customer is stored here.
      const known = JSON.stringify(limits[name].by.map((part) => subject[part]))
      const key = createHash('sha256').update(known).digest('base64url')
      try {
        const refused = await breaker.run(() => limiter.consume(key).then(() => null, refusal))
        decisions.inc({ limit: name, outcome: refused ? 'refused' : 'passed' })
        if (refused) throw refused
      } catch (error) {
        if (error instanceof AppError) throw error
        decisions.inc({ limit: name, outcome: 'failed_open' })
        logger.debug({ err: error, limit: name }, 'rate limit is not counted')
      }
    },
  }
}

/** The library rejects with its own result when it is too much, with an error when Redis fails. */
function refusal(thrown: unknown): AppError {
  if (!(thrown instanceof RateLimiterRes)) throw thrown
  const retryAfterSeconds = Math.max(1, Math.ceil(thrown.msBeforeNext / 1_000))
  return new AppError('too_many_requests', `try again in ${retryAfterSeconds} s`, {
    retryAfterSeconds,
  })
}
