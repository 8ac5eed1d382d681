import type { CommandHandlers } from '../../shared/participant.ts'
import type { EventHandlers } from '../../shared/subscriber.ts'
import type { ProductService } from './service.ts'

export function createCommandHandlers(
  service: ProductService,
): CommandHandlers<'product-commands'> {
  return {
    reserveStock: (command) => service.reserveStock(command),
    releaseStock: (command) => service.releaseStock(command),
  }
}

export function createEventHandlers(service: ProductService) {
  return {
    purchaseEnded: (purchase) => service.settle(purchase),
  } satisfies EventHandlers
}
