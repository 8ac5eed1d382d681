import { createHash } from 'node:crypto'
import { Counter, type Registry } from 'prom-client'
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { z } from 'zod'
import type { Redis } from '../cache/redis.ts'
import type { LimitName } from '../contracts/route.ts'
import { AppError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'

/** What a request is known by. */
export type Subject = { ip: string; account: string; email: string }

type Rule = {
  /** The route's `limit`. */
  route: LimitName
  by: (keyof Subject)[]
  /** Requests/seconds. */
  fallback: string
  /** Counts only requests that were answered 401; the others give their place back. */
  failures?: true
  /** Does not count clients that logged in from this address before: strangers do not lock the owner out. */
  exceptKnown?: true
}

/**
 * The rules that exist. A route names its own in `limit`, and a request has to keep every rule of it, in this order. It
 * counts requests by all keys in `by` together. The variable `RATE_LIMIT_<NAME>` overrides the limit.
 */
const rules = {
  register: { route: 'register', by: ['ip'], fallback: '300/60' },
  /** Per account and address: a stranger's guesses do not lock the owner out. */
  login: { route: 'login', by: ['email', 'ip'], fallback: '20/60' },
  /** One password tried at many accounts. */
  login_failed_address: { route: 'login', by: ['ip'], fallback: '100/600', failures: true },
  /** One account tried from many addresses. */
  login_failed_account: {
    ...{ route: 'login', by: ['email'], fallback: '100/3600' },
    ...{ failures: true, exceptKnown: true },
  },
  /** Guessing a code, and having codes sent. */
  code: { route: 'code', by: ['email', 'ip'], fallback: '20/60' },
  /** The same at many accounts. */
  code_address: { route: 'code', by: ['ip'], fallback: '300/600' },
  /** High enough for one customer who buys thousands of times at once, as the benchmark does. */
  purchase: { route: 'purchase', by: ['account'], fallback: '30000/60' },
} as const satisfies Record<string, Rule>

type RuleName = keyof typeof rules

/** How long an address is known that was let in. */
const knownSeconds = 30 * 24 * 60 * 60

const Rate = z
  .string()
  .regex(/^[1-9]\d{0,8}\/[1-9]\d{0,5}$/, 'must be requests/seconds, such as 20/60')

/** The config variables of the rules of some routes. */
export function rateLimitEnv<N extends LimitName>(...names: N[]) {
  const wanted = ruleNames.filter((name) => names.some((route) => route === rules[name].route))
  return Object.fromEntries(
    wanted.map((name) => [variableOf(name), Rate.default(rules[name].fallback)]),
  ) as { [K in RuleOf<N> as `RATE_LIMIT_${Uppercase<K>}`]: z.ZodDefault<z.ZodString> }
}

type RuleOf<N extends LimitName> = {
  [K in RuleName]: (typeof rules)[K]['route'] extends N ? K : never
}[RuleName]

const ruleNames = Object.keys(rules) as RuleName[]

const variableOf = (name: RuleName) => `RATE_LIMIT_${name.toUpperCase()}`

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
  const limiters = ruleNames.flatMap((name) => {
    const rate = config[variableOf(name)]
    if (!rate) return []
    const [points, duration] = String(rate).split('/').map(Number) as [number, number]
    const keyPrefix = `${prefix}limit:${name}`
    const limiter = new RateLimiterRedis({
      ...{ storeClient: redis.cluster, keyPrefix, points, duration },
    })
    return [{ name, rule: rules[name] as Rule, limiter }]
  })

  // Hashed: no address of a customer is stored here.
  const keyOf = (by: (keyof Subject)[], subject: Subject) =>
    createHash('sha256')
      .update(JSON.stringify(by.map((part) => subject[part])))
      .digest('base64url')
  const knownKey = (subject: Subject) => `${prefix}known:${keyOf(['email', 'ip'], subject)}`
  const isKnown = async (subject: Subject) => (await redis.cluster.exists(knownKey(subject))) === 1

  /** Undefined: not counted, since Redis does not answer. */
  async function attempt<T>(limit: RuleName, use: () => Promise<T>): Promise<T | undefined> {
    try {
      return await breaker.run(use)
    } catch (err) {
      logger.debug({ err, limit }, 'rate limit not counted')
      return undefined
    }
  }

  /** Keeps a place for the request; undefined when it has one, or else why not. */
  async function take({ name, rule, limiter }: (typeof limiters)[number], subject: Subject) {
    const outcome = await attempt(name, async () => {
      if (rule.exceptKnown && (await isKnown(subject))) return 'passed'
      return limiter.consume(keyOf(rule.by, subject)).then(() => 'passed' as const, refusal)
    })
    const refused = outcome instanceof AppError
    decisions.inc({
      limit: name,
      outcome: refused ? 'refused' : (outcome ?? 'failed_open'),
    })
    return refused ? outcome : undefined
  }

  return {
    /**
     * Counts a request; throws AppError('too_many_requests') when it is one too many for a rule. What it returns has to
     * be called with the status of the answer.
     */
    async consume(route: LimitName, subject: Subject): Promise<(status: number) => void> {
      const own = limiters.filter(({ rule }) => rule.route === route)
      for (const limiter of own) {
        const refused = await take(limiter, subject)
        if (refused) throw refused
      }
      return (status) => {
        if (status === 401) return
        for (const { name, rule, limiter } of own.filter(({ rule }) => rule.failures)) {
          void attempt(name, () => limiter.reward(keyOf(rule.by, subject)))
        }
        const remembers = own.find(({ rule }) => rule.exceptKnown)
        if (!remembers || status >= 400) return
        void attempt(remembers.name, () =>
          redis.cluster.set(knownKey(subject), '1', 'EX', knownSeconds),
        )
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
