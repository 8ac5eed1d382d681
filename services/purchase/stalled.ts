import { LRUCache } from 'lru-cache'
import type { PurchaseAccepted } from '../../shared/contracts/events.ts'
import type { Publish } from '../../shared/messaging/bus.ts'
import { sendEvent } from '../../shared/messaging/messages.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { PurchaseRow, Repository } from './repository.ts'
import { toAccepted } from './views.ts'

type Deps = {
  repository: Pick<Repository, 'unmoved' | 'paidUnended'>
  publish: Publish
  publishAccepted: (accepted: PurchaseAccepted) => Promise<void>
  /** How long a purchase may make no progress. */
  overdueMs: number
  logger: Logger
}

/** A saga returns right after its payment, and its end is read a moment later. */
const endMissingAfterMs = 10_000
/** One question for an end is enough for this long: it may wait in Kafka for other purchases. */
const endAskedForMs = 30_000
const sweepBatch = 200

/** Looks after purchases that make no progress. */
export function createStalledSweeps(deps: Deps) {
  const { repository, publish, logger } = deps
  let lastRestarted: PurchaseRow | undefined
  const asked = new LRUCache<string, true>({ max: sweepBatch * 10, ttl: endAskedForMs })

  return {
    /**
     * A stalled purchase may have no saga, or one whose end was lost: its event is published again, and its outcome
     * requested. Neither changes an existing saga. Each call continues where the last one stopped, so that purchases
     * that wait for an operator do not hide others.
     */
    async restart(): Promise<void> {
      const rows = await repository.unmoved(deps.overdueMs, sweepBatch, lastRestarted)
      lastRestarted = rows.length < sweepBatch ? undefined : rows.at(-1)
      for (const row of rows) {
        logger.warn(
          { purchase_id: row.id, overdue_ms: deps.overdueMs },
          'purchase stalled: no progress',
        )
        await deps.publishAccepted(toAccepted(row))
        await sendEvent(publish, 'settlementOverdue', { purchase_id: row.id })
      }
    },

    /** Asks for the ends of paid purchases that do not come, because the process that was to announce them died. */
    async askForEnds(): Promise<void> {
      const ids = await repository.paidUnended(endMissingAfterMs, sweepBatch)
      for (const purchase_id of ids.filter((id) => !asked.has(id))) {
        await sendEvent(publish, 'settlementOverdue', { purchase_id })
        asked.set(purchase_id, true)
        logger.warn({ purchase_id }, 'outcome overdue: asked the orchestrator for it')
      }
    },
  }
}
