import type { CommandHandlers } from '../../shared/messaging/command-handler.ts'
import type { ProductService } from './service.ts'

export function createCommandHandlers(
  service: ProductService,
): CommandHandlers<'product-commands'> {
  return {
    reserveStock: service.reserveStock,
    releaseStock: service.releaseStock,
    returnStock: service.returnStock,
  }
}
