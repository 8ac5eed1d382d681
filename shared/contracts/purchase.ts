import { z } from 'zod'
import { Amount, maxLines, PricedLine, RejectionReason } from './commands.ts'
import { OperatorActed } from './events.ts'
import { IdParams, ListQuery, listOf } from './list.ts'
import { PaymentMethod } from './payment.ts'
import type { Routes } from './route.ts'
import { purchaseStatuses } from './statuses.ts'
import { commandSteps, doNames } from './steps.ts'
import { text } from './text.ts'

export const PurchaseStatus = z.enum(purchaseStatuses)
export type PurchaseStatus = z.infer<typeof PurchaseStatus>

export const CreatePurchase = z
  .strictObject({
    order_items: z
      .array(
        z.strictObject({
          product_id: z.uuid().toLowerCase(),
          quantity: z.int().min(1).max(1_000_000),
        }),
      )
      .min(1)
      .max(maxLines),
    payment: z.strictObject({
      currency_code: z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as VND'),
      method: PaymentMethod.default('sim_ok'),
    }),
    expected_amount: Amount.optional().meta({
      description:
        'What the customer was shown, in minor units. When the purchase costs another amount now, it is refused and nothing is stored',
    }),
  })
  .meta({
    examples: [
      {
        order_items: [{ product_id: '01980a4e-7a10-7c3e-9d41-5b8f2c6e1a71', quantity: 2 }],
        payment: { currency_code: 'VND' },
        expected_amount: 250_000,
      },
    ],
  })
export type CreatePurchase = z.infer<typeof CreatePurchase>

export const PurchaseHeaders = z.object({
  'idempotency-key': text(255).optional(),
  prefer: text(255)
    .optional()
    .meta({
      description:
        '`wait=N`: the answer may wait N seconds, 30 at most, for the purchase to end, and is then 200 with the whole of it',
      examples: ['wait=10'],
    }),
})

/** Links lead only to what exists. */
const Links = z.object({
  self: z.string(),
  events: z.string().optional(),
  cancel: z.string().optional().meta({ description: 'Until the purchase has ended' }),
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

/** For the document. A stored value that a later version does not know is still answered. */
const oneOf = (values: readonly string[]) => z.string().meta({ enum: [...values] })

/** Why a step was refused, or did not happen. */
const reasons = [...RejectionReason.options, 'cancelled', 'timeout', 'unavailable', 'internal']
const stepNames = Object.values(commandSteps).map(({ step }) => step)
const doStepNames = doNames.map((name) => commandSteps[name].step)

export const PurchaseStep = z.object({
  name: oneOf(stepNames),
  outcome: oneOf(['done', 'rejected', 'timeout']),
  reason: oneOf(reasons).nullable(),
  at: z.iso.datetime(),
})
export type PurchaseStep = z.infer<typeof PurchaseStep>

/** Who receives a purchase and where, as it was in the account when the purchase was accepted. */
export const PurchaseDelivery = z.object({
  name: z.string(),
  address: z.string(),
  phone_number: z.string(),
})
export type PurchaseDelivery = z.infer<typeof PurchaseDelivery>

export const Purchase = AcceptedPurchase.extend({
  lines: z.array(PricedLine),
  delivery: PurchaseDelivery.nullable().meta({
    description:
      'As it was when the purchase was accepted: later changes of the account do not affect it. Null for purchases from before it was kept, and after its retention',
  }),
  payment_method: z.string(),
  reason: oneOf(reasons).nullable(),
  failed_step: oneOf(doStepNames).nullable(),
  steps: z.array(PurchaseStep),
  /** It cannot continue without an operator, who has been notified. */
  needs_attention: z.boolean(),
  refunded_amount: z.int().meta({ description: 'What was given back since, in minor units' }),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
export type Purchase = z.infer<typeof Purchase>

/** What one seller sells with a purchase: nothing of other sellers, and of the buyer what a delivery needs. */
export const Sale = z.object({
  purchase_id: z.uuid(),
  status: PurchaseStatus.meta({ description: 'Of the whole purchase' }),
  lines: z.array(PricedLine).meta({ description: "The caller's products" }),
  amount: z.int().meta({ description: 'Of these lines, in minor units' }),
  currency_code: z.string(),
  refunded_amount: z.int().meta({
    description:
      'What the caller gave back of it, or an operator if nobody else sells of the purchase',
  }),
  delivery: PurchaseDelivery.nullable().meta({
    description: 'Of a completed purchase; null before that, and after its retention',
  }),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
export type Sale = z.infer<typeof Sale>

export const PurchaseListQuery = ListQuery.extend({ status: PurchaseStatus.optional() })
export type PurchaseListQuery = z.infer<typeof PurchaseListQuery>

/** The `id` of the last event that the client has, which names the sequences of all that it has. */
export const LastEventId = z.object({
  'last-event-id': z
    .string()
    .regex(/^\d{1,7}(-\d{1,4}){0,31}$/, 'must be the id of an event')
    .optional(),
})

/** The id of the event `end`, greater than the sequence of every step. */
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
    role: 'buyer',
    headers: PurchaseHeaders,
    body: CreatePurchase,
    status: 202,
    location: '/purchases/:purchase_id',
    response: AcceptedPurchase,
    ended: Purchase,
    errors: ['forbidden', 'out_of_stock', 'price_changed', 'unprocessable'],
  },
  listPurchases: {
    method: 'get',
    path: '/purchases',
    summary: "The caller's purchases, newest first, of a status or a time",
    auth: true,
    query: PurchaseListQuery,
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
    summary: 'Server-sent events: a `step` for each step, then an `end`; 204 after that',
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
    summary: 'Undo a purchase that is not paid for yet; a repeat changes nothing',
    auth: true,
    params: IdParams,
    status: 202,
    location: '/purchases/:purchase_id',
    response: AcceptedPurchase,
  },
  listSales: {
    method: 'get',
    path: '/sales',
    summary: "Purchases of the caller's products, newest first, of a status or a time",
    auth: true,
    query: PurchaseListQuery,
    status: 200,
    response: listOf(Sale),
  },
  getSale: {
    method: 'get',
    path: '/sales/:id',
    summary: "The caller's lines of one purchase",
    auth: true,
    params: IdParams,
    status: 200,
    response: Sale,
  },
} as const satisfies Routes

/** An operator's action on a purchase. */
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
