import { z } from 'zod'
import { Amount } from './commands.ts'
import { IdParams, ListQuery, listOf } from './list.ts'
import type { Routes } from './route.ts'
import { refundStatuses } from './statuses.ts'
import { text } from './text.ts'

export const RefundStatus = z.enum(refundStatuses)
export type RefundStatus = z.infer<typeof RefundStatus>

const request = {
  amount: Amount.optional().meta({
    description: 'How much goes back, in minor units; without it all that is left',
  }),
  restock: z.boolean().default(false).meta({
    description: 'Whether what was bought is put back into the free stock, all of it',
  }),
  reason: text(500),
}

export const RequestRefund = z
  .strictObject(request)
  .meta({ examples: [{ amount: 100_000, restock: false, reason: 'Arrived with a dent' }] })
export type RequestRefund = z.infer<typeof RequestRefund>

export const OperatorRefund = z
  .strictObject({ payment_id: z.uuid().toLowerCase(), ...request })
  .meta({
    examples: [
      {
        payment_id: '01980a4e-7a10-7c3e-9d41-5b8f2c6e1a71',
        restock: true,
        reason: 'The seller does not answer',
      },
    ],
  })
export type OperatorRefund = z.infer<typeof OperatorRefund>

export const Refund = z.object({
  id: z.uuid(),
  payment_id: z.uuid(),
  status: RefundStatus,
  amount: z.int(),
  currency_code: z.string(),
  restock: z.boolean(),
  reason: z.string(),
  failure_reason: z.string().nullable().meta({
    description: 'Why the payment provider gave nothing back',
  }),
  /** Whether the provider has given the money back. */
  returned: z.boolean(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
export type Refund = z.infer<typeof Refund>

/** As operators see it. */
export const RefundRecord = Refund.extend({
  seller_id: z.string().nullable(),
  /** The seller's id, or the operator's name. */
  requested_by: z.string(),
  provider_reference: z.string().nullable(),
})
export type RefundRecord = z.infer<typeof RefundRecord>

export const RefundListQuery = ListQuery.extend({ status: RefundStatus.optional() })
export type RefundListQuery = z.infer<typeof RefundListQuery>

export const RefundRecordsQuery = RefundListQuery.extend({
  payment_id: z.uuid().toLowerCase().optional(),
})
export type RefundRecordsQuery = z.infer<typeof RefundRecordsQuery>

const NeededKey = z.object({ 'idempotency-key': text(255) })

export const refundRoutes = {
  requestRefund: {
    method: 'post',
    path: '/payments/:id/refunds',
    summary:
      "Give back what the caller's products of a completed purchase cost, whole or in part; a repeat with the same Idempotency-Key gives back nothing more",
    auth: true,
    params: IdParams,
    headers: NeededKey,
    body: RequestRefund,
    status: 202,
    location: '/payments/:payment_id/refunds',
    response: Refund,
    errors: ['forbidden', 'conflict', 'unprocessable'],
  },
  listRefunds: {
    method: 'get',
    path: '/payments/:id/refunds',
    summary: 'Refunds of a payment, newest first: all for who paid, their own for a seller',
    auth: true,
    params: IdParams,
    query: RefundListQuery,
    status: 200,
    response: listOf(Refund),
  },
} as const satisfies Routes

/** For operators, on their own entry point. */
export const operatorRefundRoutes = {
  requestOperatorRefund: {
    method: 'post',
    path: '/refunds',
    summary:
      'Give back a payment of a completed purchase, of all its sellers, whole or in part; a repeat with the same Idempotency-Key gives back nothing more',
    auth: 'operator',
    headers: NeededKey,
    body: OperatorRefund,
    status: 202,
    location: '/refunds/:id',
    response: RefundRecord,
    errors: ['conflict', 'unprocessable'],
  },
  listRefundRecords: {
    method: 'get',
    path: '/refunds',
    summary: 'Refunds, newest first, of a status, a payment or a time',
    auth: 'operator',
    query: RefundRecordsQuery,
    status: 200,
    response: listOf(RefundRecord),
  },
  getRefundRecord: {
    method: 'get',
    path: '/refunds/:id',
    summary: 'One refund',
    auth: 'operator',
    params: IdParams,
    status: 200,
    response: RefundRecord,
  },
} as const satisfies Routes
