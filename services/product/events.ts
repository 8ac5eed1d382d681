import type { EventHandlers } from '../../shared/messaging/event-handler.ts'
import { settleWith } from '../../shared/messaging/settlements.ts'
import type { ProductService } from './service.ts'

export function createEventHandlers(service: ProductService) {
  return {
    purchaseEnded: settleWith<'product-commands'>({ reserveStock: service.settle }),
  } satisfies EventHandlers
}
