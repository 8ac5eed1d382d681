import { z } from 'zod'
import { PricedLine } from './commands.ts'
import { IdParams, ListQuery, listOf } from './list.ts'
import type { Routes } from './route.ts'
import { orderStatuses } from './statuses.ts'

export const OrderStatus = z.enum(orderStatuses)
export type OrderStatus = z.infer<typeof OrderStatus>

/** Its id is its purchase's id. */
export const Order = z.object({
  id: z.uuid(),
  status: OrderStatus,
  lines: z.array(PricedLine),
  amount: z.int(),
  currency_code: z.string(),
  created_at: z.iso.datetime(),
})
export type Order = z.infer<typeof Order>

export const OrderListQuery = ListQuery.extend({ status: OrderStatus.optional() })
export type OrderListQuery = z.infer<typeof OrderListQuery>

export const orderRoutes = {
  listOrders: {
    method: 'get',
    path: '/orders',
    summary: "The caller's orders, newest first, of a status or a time",
    auth: true,
    query: OrderListQuery,
    status: 200,
    response: listOf(Order),
  },
  getOrder: {
    method: 'get',
    path: '/orders/:id',
    summary: "One of the caller's orders",
    auth: true,
    params: IdParams,
    status: 200,
    response: Order,
  },
} as const satisfies Routes
