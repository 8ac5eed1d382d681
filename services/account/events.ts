import type { EventHandlers } from '../../shared/subscriber.ts'
import type { AccountService } from './service.ts'

export function createEventHandlers(service: AccountService): EventHandlers {
  return {
    purchaseEnded: service.mailPurchaseEnded,
    attentionNeeded: service.mailAttention,
  }
}
