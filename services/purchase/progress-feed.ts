import { Counter, type Registry } from 'prom-client'
import type { Redis } from '../../shared/cache/redis.ts'
import type { PurchaseEvent } from '../../shared/contracts/purchase.ts'
import type { EventStream } from '../../shared/http/sse.ts'
import { startSweep } from '../../shared/runtime/interval.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { hasEndEvent } from './event-ids.ts'
import { createProgressChannel } from './progress-channel.ts'
import { createProgressWatchers } from './progress-watchers.ts'
import type { PurchaseWithSteps, Repository } from './repository.ts'
import { type KnownProgress, toKnown } from './views.ts'

export type ProgressFeed = {
  /** Signals that a row changed. Does not block and never fails. */
  note(purchaseId: string): void
  /** Undefined when there is no such purchase. Fails only when the database does. */
  read(purchaseId: string): Promise<KnownProgress | undefined>
  /** Null when the client has seen the end. */
  watch(
    known: KnownProgress,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): EventStream<PurchaseEvent>
  close(): Promise<void>
}

const flushMs = 50
/** How often Redis is asked whether another replica has watchers. */
const askForWatchersMs = 1_000
const batch = 200
const maxNoted = 10_000

/**
 * Sends progress from the replica that stored it to replicas with watchers. Without a watcher in any replica it sends
 * nothing. Watchers read from the database what Redis loses.
 */
export function createProgressFeed({
  redis,
  repository,
  logger,
  registry,
  prefix = '',
}: {
  redis: Redis
  repository: Pick<Repository, 'findMany'>
  logger: Logger
  registry: Registry
  /** Of all keys: keeps those of a test apart. */
  prefix?: string
}): ProgressFeed {
  const channel = createProgressChannel(redis, prefix)
  const events = new Counter({
    name: 'purchase_progress_events_total',
    help: 'Steps and ends that live readers were told, by where they came from',
    labelNames: ['source'],
    registers: [registry],
  })
  const unpublished = new Counter({
    name: 'purchase_progress_unpublished_total',
    help: 'Changes of a purchase that Redis was not told',
    registers: [registry],
  })
  const watchers = createProgressWatchers({ channel, repository, events, logger })
  const noted = new Set<string>()
  let asked = Number.NEGATIVE_INFINITY
  let isWatchedElsewhere = false

  /** Asks Redis once a second. New watchers read the database in the meantime. */
  async function isWatched(): Promise<boolean> {
    if (watchers.size > 0) return true
    if (performance.now() - asked >= askForWatchersMs) {
      asked = performance.now()
      isWatchedElsewhere = await channel.hasWatchers().catch(() => false)
    }
    return isWatchedElsewhere
  }

  const publish = (row: PurchaseWithSteps): Promise<void> =>
    channel.publish(toKnown(row)).catch(() => unpublished.inc())

  /** One query for all that changed meanwhile. */
  async function flush(): Promise<void> {
    if (noted.size > 0 && !(await isWatched())) noted.clear()
    while (noted.size > 0) {
      const ids = [...noted].slice(0, batch)
      for (const id of ids) noted.delete(id)
      await Promise.all((await repository.findMany(ids)).map(publish))
    }
  }

  const flushing = startSweep({ intervalMs: flushMs, run: flush, logger })

  return {
    note(purchaseId) {
      if (noted.size < maxNoted) noted.add(purchaseId)
      else unpublished.inc()
    },

    async read(purchaseId) {
      const known = await channel.find(purchaseId).catch(() => undefined)
      if (known) return known
      const [row] = await repository.findMany([purchaseId])
      if (!row) return undefined
      void publish(row)
      return toKnown(row)
    },

    watch: (known, lastEventId, signal) =>
      hasEndEvent(lastEventId) ? null : watchers.follow(known, lastEventId, signal),

    async close() {
      await Promise.all([flushing.close(), watchers.close()])
    },
  }
}
