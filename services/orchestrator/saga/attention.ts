import { LRUCache } from 'lru-cache'
import type { AttentionNeeded } from '../../../shared/contracts/events.ts'
import type { Logger } from '../../../shared/runtime/logger.ts'

/** An evicted entry is flagged once more, which changes nothing. */
const maxRemembered = 10_000

/** Notifies operators of purchases that cannot continue without help, once per reason and process. */
export function createAttention({
  announce,
  logger,
}: {
  announce: (needed: AttentionNeeded) => Promise<void>
  logger: Logger
}) {
  const flagged = new LRUCache<string, true>({ max: maxRemembered })

  return {
    async flag(purchaseId: string, reason: AttentionNeeded['reason']): Promise<void> {
      const key = `${purchaseId}/${reason}`
      if (flagged.has(key)) return
      await announce({ purchase_id: purchaseId, steps: [], reason })
      flagged.set(key, true)
      logger.error({ purchase_id: purchaseId, reason }, 'saga needs attention')
    },
  }
}

export type Attention = ReturnType<typeof createAttention>
