import { LRUCache } from 'lru-cache'
import { timeOfId } from '../../../shared/contracts/ids.ts'
import type { Logger } from '../../../shared/runtime/logger.ts'
import type { PurchaseRows, PurchaseState } from './purchase-rows.ts'

type Deps = {
  rows: Pick<PurchaseRows, 'statesOf'>
  /** The purchases that start next. */
  comingUp: () => string[]
  /** When this process began to receive cancel requests, epoch ms. */
  startedAt?: number
  logger: Logger
}

/**
 * No cancel request of a purchase that was made or released later has been lost: the purchase service tries this long to
 * deliver it.
 */
const delayedAfterMs = 2_000
/** So an answer is valid for less than that. */
const knownMs = 1_000
const maxCachedStates = 1_000
const maxAsked = 100
/** A process that starts receives no cancel request, so it looks up purchases of that time as well. */
const startingMs = 5_000

/**
 * Looks up the row of a purchase whose saga starts late. Its customer may have asked to cancel while the orchestrator
 * was unavailable, or it may have ended in a Temporal database that was lost.
 */
export function createDelayedStarts({ rows, comingUp, startedAt = Date.now(), logger }: Deps) {
  const known = new LRUCache<string, { state: PurchaseState | undefined }>({
    max: maxCachedStates,
    ttl: knownMs,
  })

  /** Asks for those with it that start next, so that many delayed starts cost few questions. */
  async function ask(purchaseId: string): Promise<PurchaseState | undefined> {
    const next = comingUp().filter((id) => !known.has(id))
    const ids = [...new Set([purchaseId, ...next])].slice(0, maxAsked)
    const states = await rows.statesOf(ids)
    for (const id of ids) known.set(id, { state: states.get(id) })
    return states.get(purchaseId)
  }

  return {
    /**
     * Undefined when the saga starts in time, there is no row, or the purchase service does not answer. `releasedAt`: see
     * `releasedAtHeader`.
     */
    async rowOf(purchaseId: string, releasedAt = 0): Promise<PurchaseState | undefined> {
      const openAt = Math.max(timeOfId(purchaseId), releasedAt)
      const isInTime = openAt > startedAt + startingMs && Date.now() - openAt < delayedAfterMs
      if (isInTime) return undefined
      try {
        const found = known.get(purchaseId)
        return found ? found.state : await ask(purchaseId)
      } catch (err) {
        logger.warn({ err, purchase_id: purchaseId }, 'saga starts without its purchase row')
        return undefined
      }
    },
  }
}

export type DelayedStarts = ReturnType<typeof createDelayedStarts>
