import { LRUCache } from 'lru-cache'
import { Counter, Gauge, type Registry } from 'prom-client'
import { AppError } from '../../shared/runtime/errors.ts'
import type { Repository } from './repository.ts'

type Deps = {
  repository: Pick<Repository, 'countUnfinished' | 'oldestStarted'>
  maxInAll: number
  registry: Registry
}

/** A refused customer is refused again for this long without a query. */
const rememberedMs = 500
const maxRemembered = 10_000
const retryAfterSeconds = 5

/** Refuses purchases of customers, or of all, while too many have not ended. */
export function createUnfinishedLimits({ repository, maxInAll, registry }: Deps) {
  const refusedCustomers = new LRUCache<string, true>({ max: maxRemembered, ttl: rememberedMs })
  let isFull = false
  const unfinished = new Gauge({
    name: 'purchases_unfinished',
    help: 'Purchases that have not ended, in all replicas',
    registers: [registry],
  })
  const queued = new Gauge({
    name: 'purchases_queued',
    help: 'Purchases that wait for their turn to start, in all replicas',
    registers: [registry],
  })
  const oldest = new Gauge({
    name: 'purchase_oldest_started_seconds',
    help: 'For how long the oldest saga has been released without an end of its purchase, in all replicas; 0: there is none',
    registers: [registry],
  })
  const refused = new Counter({
    name: 'purchases_refused_total',
    help: 'Purchases refused because too many of the customer, or in all, had not ended',
    labelNames: ['limit'],
    registers: [registry],
  })

  function refuseCustomer(customerId: string): AppError {
    if (!refusedCustomers.has(customerId)) refusedCustomers.set(customerId, true)
    refused.inc({ limit: 'customer' })
    return new AppError(
      'too_many_requests',
      'too many of your purchases have not ended; try later',
      {
        retryAfterSeconds,
      },
    )
  }

  return {
    /** Why a purchase of this customer is refused, as far as that is known without the database. */
    refusal(customerId: string): AppError | undefined {
      if (refusedCustomers.has(customerId)) return refuseCustomer(customerId)
      if (!isFull) return undefined
      refused.inc({ limit: 'all' })
      return new AppError('unavailable', 'too many purchases have not ended; try later', {
        retryAfterSeconds,
      })
    },

    /** The database found that the customer has too many unfinished purchases. */
    refuseCustomer,

    /** Counts what has not ended. The limit in all may be passed by what comes between two calls. */
    async count(): Promise<void> {
      const counted = await repository.countUnfinished(maxInAll)
      isFull = counted.unfinished >= maxInAll
      unfinished.set(counted.unfinished)
      queued.set(counted.queued)
      oldest.set(await repository.oldestStarted())
    },
  }
}

export type UnfinishedLimits = ReturnType<typeof createUnfinishedLimits>
