import { z } from 'zod'
import type { Routes } from '../route.ts'
import { PricedLine } from './commands.ts'
import { IdParams, ListQuery, listOf } from './list.ts'

export const OrderStatus = z.enum(['PENDING', 'CONFIRMED', 'CANCELLED'])
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

export const orderRoutes = {
  listOrders: {
    method: 'get',
    path: '/orders',
    summary: "The caller's orders, newest first",
    auth: true,
    query: ListQuery,
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
