import { createHash } from 'node:crypto'
import { Counter, type Registry } from 'prom-client'
import { z } from 'zod'
import { AcceptedPurchase } from '../../shared/contracts/purchase.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Redis } from '../../shared/redis.ts'

const Answer = z.object({ bodyHash: z.string(), accepted: AcceptedPurchase })
export type Answer = z.infer<typeof Answer>

/** Long enough for every retry of a client; `purchase_db` answers those that come later. */
const ttlSeconds = 24 * 60 * 60

export type Answers = ReturnType<typeof createAnswers>

/**
 * First answers by idempotency key, in front of `purchase_db`. Only what is committed there is ever kept here, and it
 * never changes, so a repeat is answered the same with Redis and without.
 */
export function createAnswers({
  redis,
  logger,
  registry,
  prefix = '',
}: {
  redis: Redis
  logger: Logger
  registry: Registry
  prefix?: string
}) {
  const breaker = redis.breaker('idempotency')
  const lookups = new Counter({
    name: 'idempotency_lookups_total',
    help: 'Idempotency keys looked up in Redis: hit, miss, or away',
    labelNames: ['outcome'],
    registers: [registry],
  })
  // Keys are the client's text, of any length.
  const keyOf = (customerId: string, idempotencyKey: string) =>
    `${prefix}answer:${customerId}:${createHash('sha256').update(idempotencyKey).digest('base64url')}`

  return {
    /** Undefined says nothing: the database knows. */
    async find(customerId: string, idempotencyKey: string): Promise<Answer | undefined> {
      try {
        const text = await breaker.run(() => redis.cluster.get(keyOf(customerId, idempotencyKey)))
        const answer = text === null ? undefined : Answer.parse(JSON.parse(text))
        lookups.inc({ outcome: answer ? 'hit' : 'miss' })
        return answer
      } catch (err) {
        lookups.inc({ outcome: 'away' })
        logger.debug({ err }, 'idempotency keys are looked up without redis')
        return undefined
      }
    },

    /** Keeps the answer of a row that is committed. Nobody has to wait for it. */
    keep(customerId: string, idempotencyKey: string, answer: Answer): void {
      const key = keyOf(customerId, idempotencyKey)
      breaker
        .run(() => redis.cluster.set(key, JSON.stringify(answer), 'EX', ttlSeconds))
        .catch((err) => logger.debug({ err }, 'idempotency key is not kept in redis'))
    },
  }
}
