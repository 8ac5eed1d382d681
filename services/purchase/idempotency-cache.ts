import { createHash } from 'node:crypto'
import { Counter, type Registry } from 'prom-client'
import { z } from 'zod'
import type { Redis } from '../../shared/cache/redis.ts'
import { AcceptedPurchase } from '../../shared/contracts/purchase.ts'
import type { Logger } from '../../shared/runtime/logger.ts'

const StoredResponse = z.object({ bodyHash: z.string(), accepted: AcceptedPurchase })
/** What the first request with an idempotency key was answered, and the hash of its body. */
export type StoredResponse = z.infer<typeof StoredResponse>

/** Long enough for every retry of a client; `purchase_db` answers those that come later. */
const ttlSeconds = 24 * 60 * 60

export type IdempotencyCache = ReturnType<typeof createIdempotencyCache>

/**
 * Stored responses by idempotency key, in front of `purchase_db`. Only what is committed there is ever stored here, and
 * it never changes, so a repeat is answered the same with Redis and without.
 */
export function createIdempotencyCache({
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
    /** Undefined proves nothing: the database decides. */
    async find(customerId: string, idempotencyKey: string): Promise<StoredResponse | undefined> {
      try {
        const text = await breaker.run(() => redis.cluster.get(keyOf(customerId, idempotencyKey)))
        const stored = text === null ? undefined : StoredResponse.parse(JSON.parse(text))
        lookups.inc({ outcome: stored ? 'hit' : 'miss' })
        return stored
      } catch (err) {
        lookups.inc({ outcome: 'away' })
        logger.debug({ err }, 'idempotency key not read from redis')
        return undefined
      }
    },

    /** Stores the response of a row that is committed. Does not block, and never fails. */
    store(customerId: string, idempotencyKey: string, response: StoredResponse): void {
      const key = keyOf(customerId, idempotencyKey)
      breaker
        .run(() => redis.cluster.set(key, JSON.stringify(response), 'EX', ttlSeconds))
        .catch((err) => logger.debug({ err }, 'idempotency key not stored in redis'))
    },
  }
}
