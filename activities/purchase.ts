import type {
  AttentionNeeded,
  OperatorActed,
  PurchaseEnded,
  RefundEnded,
} from '../shared/contracts/events.ts'
import { sendEvent } from '../shared/messaging/messages.ts'
import type { ActivityDeps } from './ask.ts'

/** What the sagas announce. */
export function createPurchaseActivities(deps: ActivityDeps) {
  return {
    announceEnd: (ended: PurchaseEnded): Promise<void> =>
      sendEvent(deps.publish, 'purchaseEnded', ended),
    announceAttention: (needed: AttentionNeeded): Promise<void> =>
      sendEvent(deps.publish, 'attentionNeeded', needed),
    announceAction: (acted: OperatorActed): Promise<void> =>
      sendEvent(deps.publish, 'operatorActed', acted),
    announceRefundEnd: (ended: RefundEnded): Promise<void> =>
      sendEvent(deps.publish, 'refundEnded', ended),
  }
}
