import type { EventHandlers } from '../../shared/messaging/event-handler.ts'
import { settleWith } from '../../shared/messaging/settlements.ts'
import type { OrderService } from './service.ts'

export function createEventHandlers(service: OrderService) {
  return {
    purchaseEnded: settleWith<'order-commands'>({ createOrder: service.settle }),
  } satisfies EventHandlers
}
