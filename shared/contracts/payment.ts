import { z } from 'zod'
import type { Routes } from '../route.ts'
import { IdParams, ListQuery, listOf } from './list.ts'

/** What the simulated provider can be asked to do; a real one would bring its own. */
export const PaymentMethod = z.enum([
  'sim_ok',
  'sim_declined',
  'sim_timeout',
  'sim_fail_once',
  'sim_refund_fails',
])
export type PaymentMethod = z.infer<typeof PaymentMethod>

export const PaymentStatus = z.enum(['PENDING', 'CAPTURED', 'DECLINED', 'REFUNDED', 'VOIDED'])
export type PaymentStatus = z.infer<typeof PaymentStatus>

/** Its id is its purchase's id. */
export const Payment = z.object({
  id: z.uuid(),
  status: PaymentStatus,
  amount: z.int(),
  currency_code: z.string(),
  method: z.string(),
  created_at: z.iso.datetime(),
})
export type Payment = z.infer<typeof Payment>

export const paymentRoutes = {
  listPayments: {
    method: 'get',
    path: '/payments',
    summary: "The caller's payments, newest first",
    auth: true,
    query: ListQuery,
    status: 200,
    response: listOf(Payment),
  },
  getPayment: {
    method: 'get',
    path: '/payments/:id',
    summary: "One of the caller's payments",
    auth: true,
    params: IdParams,
    status: 200,
    response: Payment,
  },
} as const satisfies Routes
