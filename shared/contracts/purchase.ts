import { z } from 'zod'
import type { Routes } from '../route.ts'
import { PricedLine } from './commands.ts'
import { OperatorActed } from './events.ts'
import { IdParams, ListQuery, listOf } from './list.ts'
import { PaymentMethod } from './payment.ts'

export const PurchaseStatus = z.enum([
  'ACCEPTED',
  'PROCESSING',
  'CANCELLING',
  'COMPLETED',
  'REJECTED',
  'CANCELLED',
  'RESOLVED',
])
export type PurchaseStatus = z.infer<typeof PurchaseStatus>

const maxLines = 100

export const CreatePurchase = z.strictObject({
  order_items: z
    .array(z.strictObject({ product_id: z.uuid(), quantity: z.int().min(1).max(1_000_000) }))
    .min(1)
    .max(maxLines),
  payment: z.strictObject({
    currency_code: z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as VND'),
    method: PaymentMethod.default('sim_ok'),
  }),
})
export type CreatePurchase = z.infer<typeof CreatePurchase>

export const IdempotencyKey = z.object({ 'idempotency-key': z.string().min(1).max(255).optional() })

/** Links lead only to what exists. */
const Links = z.object({
  self: z.string(),
  order: z.string().optional(),
  payment: z.string().optional(),
})

export const AcceptedPurchase = z.object({
  purchase_id: z.uuid(),
  status: PurchaseStatus,
  amount: z.int(),
  currency_code: z.string(),
  links: Links,
})
export type AcceptedPurchase = z.infer<typeof AcceptedPurchase>

export const PurchaseStep = z.object({
  name: z.string(),
  outcome: z.string(),
  reason: z.string().nullable(),
  at: z.iso.datetime(),
})
export type PurchaseStep = z.infer<typeof PurchaseStep>

export const Purchase = AcceptedPurchase.extend({
  lines: z.array(PricedLine),
  payment_method: z.string(),
  reason: z.string().nullable(),
  failed_step: z.string().nullable(),
  steps: z.array(PurchaseStep),
  /** Something of it cannot go on by itself, and an operator has been told. */
  needs_attention: z.boolean(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
export type Purchase = z.infer<typeof Purchase>

/** What a stream begins behind: the `id` of the last event that the client has. */
export const LastEventId = z.object({
  'last-event-id': z.coerce.number().int().min(0).max(1_000_000).optional(),
})

/** The id of the event `end`, behind every step's sequence. */
export const endSequence = 1_000

/** The data of an event: of `step` that step, of `end` the whole purchase. */
export const PurchaseEvent = z.union([Purchase, PurchaseStep])
export type PurchaseEvent = z.infer<typeof PurchaseEvent>

export const purchaseRoutes = {
  createPurchase: {
    method: 'post',
    path: '/purchases',
    limit: 'purchase',
    summary: 'Buy; the answer says where to see how it goes',
    auth: true,
    headers: IdempotencyKey,
    body: CreatePurchase,
    status: 202,
    response: AcceptedPurchase,
    errors: ['forbidden', 'unprocessable'],
  },
  listPurchases: {
    method: 'get',
    path: '/purchases',
    summary: "The caller's purchases, newest first",
    auth: true,
    query: ListQuery,
    status: 200,
    response: listOf(Purchase),
  },
  getPurchase: {
    method: 'get',
    path: '/purchases/:id',
    summary: "One of the caller's purchases and its steps",
    auth: true,
    params: IdParams,
    status: 200,
    response: Purchase,
  },
  watchPurchase: {
    method: 'get',
    path: '/purchases/:id/events',
    summary: 'Server-sent events: a `step` for each step, at last an `end`; 204 behind that',
    auth: true,
    params: IdParams,
    headers: LastEventId,
    stream: true,
    status: 200,
    response: PurchaseEvent,
  },
  cancelPurchase: {
    method: 'post',
    path: '/purchases/:id/cancel',
    errors: ['conflict'],
    limit: 'purchase',
    summary: 'Undo a purchase that is not paid for yet; asking again is the same wish',
    auth: true,
    params: IdParams,
    status: 202,
    response: AcceptedPurchase,
  },
} as const satisfies Routes

/** What was done to a purchase by hand. */
export const PurchaseAction = OperatorActed.omit({ purchase_id: true })
export type PurchaseAction = z.infer<typeof PurchaseAction>

/** For operators, on the purchase service's own port: Traefik has no route to it. */
export const auditRoutes = {
  listActions: {
    method: 'get',
    path: '/audit/:id',
    summary: 'All that operators, and sweeps in their place, did to a purchase, oldest first',
    auth: 'operator',
    params: IdParams,
    status: 200,
    response: z.object({ items: z.array(PurchaseAction) }),
  },
} as const satisfies Routes
