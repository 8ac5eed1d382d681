import { z } from 'zod'
import { IdParams, ListQuery, listOf, TimeRange } from './list.ts'
import { Refund } from './refund.ts'
import type { Routes } from './route.ts'
import { paymentStatuses, providerOutcomes } from './statuses.ts'

/** Ways to pay for trying the shop: what becomes of the payment is in the name. */
export const SimulatedMethod = z.enum([
  'sim_ok',
  'sim_declined',
  'sim_timeout',
  'sim_fail_once',
  'sim_refund_fails',
])
export type SimulatedMethod = z.infer<typeof SimulatedMethod>

/** One of these, or what the provider's own form in the browser has made of a card. */
export const PaymentMethod = z.union(
  [
    SimulatedMethod,
    z.string().regex(/^pm_\w{1,100}$/, "must be the provider's id of a payment method"),
  ],
  {
    error: `must be ${SimulatedMethod.options.join(', ')}, or the provider's id of a payment method (pm_…)`,
  },
)
export type PaymentMethod = z.infer<typeof PaymentMethod>

export const PaymentStatus = z.enum(paymentStatuses)
export type PaymentStatus = z.infer<typeof PaymentStatus>

/** Its id is its purchase's id. */
export const Payment = z.object({
  id: z.uuid(),
  status: PaymentStatus,
  amount: z.int(),
  currency_code: z.string(),
  method: z.string(),
  refunded_amount: z.int().meta({
    description: 'What the provider has given back since the purchase was completed',
  }),
  created_at: z.iso.datetime(),
})
export type Payment = z.infer<typeof Payment>

/** With its refunds, newest first, the last 20. */
export const PaymentWithRefunds = Payment.extend({ refunds: z.array(Refund) })
export type PaymentWithRefunds = z.infer<typeof PaymentWithRefunds>

export const PaymentListQuery = ListQuery.extend({ status: PaymentStatus.optional() })
export type PaymentListQuery = z.infer<typeof PaymentListQuery>
/** An event of Stripe, of which this says what every one has. */
export const WebhookEvent = z
  .object({
    id: z.string().regex(/^evt_\w{1,255}$/),
    object: z.literal('event'),
    type: z.string().regex(/^[\w.]{1,255}$/),
    created: z.int().positive(),
    data: z.object({ object: z.looseObject({}) }),
  })
  .meta({
    description: "An event of Stripe's API, as its signature covers it",
    examples: [
      {
        id: 'evt_1R2b3cD4e5F6g7H8',
        object: 'event',
        type: 'payment_intent.succeeded',
        created: 1_764_460_800,
        data: { object: { id: 'pi_1R2b3cD4e5F6g7H8', object: 'payment_intent' } },
      },
    ],
  })

const SignedHeaders = z.object({
  'stripe-signature': z
    .string()
    .regex(/^[\w=,.+/ -]{1,1000}$/, 'must be a signature')
    .meta({ description: 't=<seconds>,v1=<HMAC-SHA256>' }),
})

export const paymentRoutes = {
  listPayments: {
    method: 'get',
    path: '/payments',
    summary: "The caller's payments, newest first, of a status or a time",
    auth: true,
    query: PaymentListQuery,
    status: 200,
    response: listOf(Payment),
  },
  getPayment: {
    method: 'get',
    path: '/payments/:id',
    summary: "One of the caller's payments, with its refunds",
    auth: true,
    params: IdParams,
    status: 200,
    response: PaymentWithRefunds,
  },
  receiveWebhook: {
    method: 'post',
    path: '/payments/webhooks',
    summary: 'For the payment provider: report an event. Signed instead of authenticated',
    headers: SignedHeaders,
    body: WebhookEvent,
    raw: true,
    status: 200,
    response: z.object({ received: z.literal(true) }),
  },
} as const satisfies Routes

export const ProviderEvent = z.object({
  id: z.string(),
  type: z.string(),
  reference: z.string().nullable(),
  payment_id: z.string().nullable(),
  amount: z.int().nullable(),
  /** What it changed: a payment learned of its capture, nothing, or nothing yet because other hands made it. */
  outcome: z.enum(providerOutcomes),
  created_at: z.iso.datetime(),
  received_at: z.iso.datetime(),
})
export type ProviderEvent = z.infer<typeof ProviderEvent>

const EventsQuery = z.strictObject({
  outcome: ProviderEvent.shape.outcome.optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z
    .string()
    .regex(/^\d{1,18}$/, 'must be a cursor that a list returned')
    .optional(),
  ...TimeRange,
})
export type EventsQuery = z.infer<typeof EventsQuery>

/** For operators, on the port of the service only. */
export const providerEventRoutes = {
  listProviderEvents: {
    method: 'get',
    path: '/provider-events',
    summary: 'What the payment provider reported, newest first, of an outcome or a time',
    auth: 'operator',
    query: EventsQuery,
    status: 200,
    response: listOf(ProviderEvent),
  },
} as const satisfies Routes
