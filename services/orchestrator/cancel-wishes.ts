import { LRUCache } from 'lru-cache'
import type { GrpcClient } from '../../shared/grpc.ts'
import { timeOfId } from '../../shared/ids.ts'
import type { Logger } from '../../shared/logger.ts'
import { type Publish, sendEvent } from '../../shared/messages.ts'
import type { OwnReplyWaiters } from './reply-waiters.ts'

type Deps = {
  waiters: Pick<OwnReplyWaiters, 'giveUp'>
  /** Whether replies of this purchase come to this process, so that its steps can wait nowhere else. */
  comeHere: (purchaseId: string) => boolean
  publish: Publish
  purchases: Pick<GrpcClient<'purchase'>, 'CancelWished'>
  /** The purchases that start next. */
  comingUp: () => string[]
  logger: Logger
}

/** No wish of a younger purchase has been lost: the purchase service tries for this long to deliver it. */
const waitedMs = 2_000
/** So an answer is good for less than that. */
const knownMs = 1_000
const maxKnown = 1_000
const maxAsked = 100
/** A process hears nobody while it starts, so one who wishes then is told so at once. */
const startingMs = 5_000

/** How a wish to cancel reaches a saga that waits in a process, or has not started. */
export function createCancelWishes(deps: Deps) {
  const { waiters, comeHere, publish, purchases, comingUp, logger } = deps
  const startedAt = Date.now()
  const answers = new LRUCache<string, boolean>({ max: maxKnown, ttl: knownMs })

  /** Asks for those with it that start next, so that a crowd costs few questions. */
  async function ask(purchaseId: string): Promise<boolean> {
    const next = comingUp().filter((id) => !answers.has(id))
    const ids = [...new Set([purchaseId, ...next])].slice(0, maxAsked)
    const { wished } = await purchases.CancelWished({ purchase_ids: ids })
    for (const id of ids) answers.set(id, wished.includes(id))
    return wished.includes(purchaseId)
  }

  return {
    /** Tells the process in which the saga waits. The saga's Update says the same, only later. */
    async tell(purchaseId: string): Promise<void> {
      if (comeHere(purchaseId)) {
        waiters.giveUp(purchaseId)
        return
      }
      try {
        await sendEvent(publish, 'cancelWished', { purchase_id: purchaseId })
      } catch (err) {
        logger.warn({ err, purchase_id: purchaseId }, 'wish to cancel is heard after the step')
      }
    },

    hear: waiters.giveUp,

    /**
     * Whether a purchase whose saga has not started is cancelled already. Only one that has waited may have a wish that
     * nobody could be told, so only then the purchase service is asked; while it does not answer, there is none.
     */
    async wished(purchaseId: string): Promise<boolean> {
      const madeAt = timeOfId(purchaseId)
      if (madeAt > startedAt + startingMs && Date.now() - madeAt < waitedMs) return false
      try {
        return answers.get(purchaseId) ?? (await ask(purchaseId))
      } catch (err) {
        logger.warn({ err, purchase_id: purchaseId }, 'saga starts without a look for a wish')
        return false
      }
    },
  }
}

export type CancelWishes = ReturnType<typeof createCancelWishes>
