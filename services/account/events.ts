import type { EventHandlers } from '../../shared/messaging/event-handler.ts'
import type { PurchaseMails } from './purchase-mails.ts'

export function createEventHandlers(mails: PurchaseMails): EventHandlers {
  return {
    purchaseEnded: mails.mailPurchaseEnded,
    refundEnded: mails.mailRefundEnded,
    attentionNeeded: mails.mailAttention,
  }
}
