import type { Prisma } from '../../prisma/order/client/client.ts'
import type { Order, OrderStatus } from '../../shared/contracts/order.ts'

export const withLines = { lines: { orderBy: { productId: 'asc' } } } as const

type OrderRow = Prisma.OrderGetPayload<{ include: typeof withLines }>

export function toOrder(row: OrderRow): Order {
  return {
    id: row.id,
    status: row.status as OrderStatus,
    lines: row.lines.map((line) => ({
      product_id: line.productId,
      quantity: line.quantity,
      name: line.name,
      unit_price: Number(line.unitPrice),
    })),
    amount: Number(row.amount),
    currency_code: row.currencyCode,
    created_at: row.createdAt.toISOString(),
  }
}
