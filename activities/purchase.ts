import type { AttentionNeeded, OperatorActed, PurchaseEnded } from '../shared/contracts/events.ts'
import { sendEvent } from '../shared/messages.ts'
import type { ActivityDeps } from './ask.ts'

/** What the saga tells the world. `onEnd` hears in this process that a purchase has ended. */
export function createPurchaseActivities(deps: ActivityDeps & { onEnd: (id: string) => void }) {
  return {
    async announceEnd(ended: PurchaseEnded): Promise<void> {
      await sendEvent(deps.publish, 'purchaseEnded', ended)
      deps.onEnd(ended.purchase_id)
    },
    announceAttention: (needed: AttentionNeeded): Promise<void> =>
      sendEvent(deps.publish, 'attentionNeeded', needed),
    announceAction: (acted: OperatorActed): Promise<void> =>
      sendEvent(deps.publish, 'operatorActed', acted),
  }
}
