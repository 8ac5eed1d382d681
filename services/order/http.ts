import type { orderRoutes } from '../../shared/contracts/order.ts'
import type { Handlers } from '../../shared/http/route.ts'
import type { OrderService } from './service.ts'

export function createHandlers(service: OrderService): Handlers<typeof orderRoutes> {
  return {
    listOrders: ({ caller, query }) => service.listOrders(caller.accountId, query),
    getOrder: ({ caller, params }) => service.getOrder(caller.accountId, params.id),
  }
}
