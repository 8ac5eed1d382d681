import { z } from 'zod'
import { parseRequest } from '../../shared/grpc/request.ts'
import type { GrpcHandlers, OrderMessage } from '../../shared/grpc/services.ts'
import type { OrderRepository, OrderRow } from './repository.ts'

const GetOrders = z.object({ order_ids: z.array(z.uuid()).max(100) })

/** The order rows, for the console of operators. */
export function createGrpcHandlers(
  repository: Pick<OrderRepository, 'findRows'>,
): GrpcHandlers<'order'> {
  return {
    async GetOrders(request) {
      const { order_ids } = parseRequest(GetOrders, request)
      const rows = await repository.findRows(order_ids)
      return { orders: rows.map(toMessage) }
    },
  }
}

function toMessage(row: OrderRow): OrderMessage {
  return {
    id: row.id,
    customer_id: row.customerId,
    status: row.status,
    amount: Number(row.amount),
    currency_code: row.currencyCode,
    created_at: row.createdAt.getTime(),
    updated_at: row.updatedAt.getTime(),
  }
}
