import type { CommandHandlers } from '../../shared/messaging/command-handler.ts'
import type { OrderService } from './service.ts'

export function createCommandHandlers(service: OrderService): CommandHandlers<'order-commands'> {
  return { createOrder: service.createOrder, cancelOrder: service.cancelOrder }
}
