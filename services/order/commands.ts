import type { CommandHandlers } from '../../shared/participant.ts'
import type { EventHandlers } from '../../shared/subscriber.ts'
import type { OrderService } from './service.ts'

export function createCommandHandlers(service: OrderService): CommandHandlers<'order-commands'> {
  return { createOrder: service.createOrder, cancelOrder: service.cancelOrder }
}

export function createEventHandlers(service: OrderService): EventHandlers {
  return { purchaseEnded: service.settle }
}
