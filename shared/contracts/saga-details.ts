import { z } from 'zod'
import { Saga } from './operator.ts'

/** A time that may be missing. */
const Time = z.iso.datetime().nullable()

/**
 * `command`: it was sent. `reply`: the participant's answer. `failure`: an attempt without an answer. `request`: of a
 * customer or operator. `status`: what the search attribute says from then on.
 */
const entryKinds = ['started', 'command', 'reply', 'failure', 'request', 'status', 'ended'] as const

export const TimelineEntry = z.object({
  at: z.iso.datetime(),
  kind: z.enum(entryKinds),
  /** Of a command, reply or failure. */
  step: z.string().nullable(),
  /** Whether the step takes another one back. */
  undo: z.boolean(),
  attempt: z.int().nullable(),
  /** The outcome and reason, the failure, the status, or the name of the request. */
  detail: z.string().nullable(),
})
export type TimelineEntry = z.infer<typeof TimelineEntry>

const Money = z.object({ amount: z.int(), currency_code: z.string() })
const Times = z.object({ created_at: z.iso.datetime(), updated_at: z.iso.datetime() })

export const PurchaseRecord = Money.extend(Times.shape).extend({
  customer_id: z.string(),
  status: z.string(),
  reason: z.string().nullable(),
  failed_step: z.string().nullable(),
  attention_reason: z.string().nullable(),
  needs_attention_at: Time,
  released_at: Time,
  published_at: Time,
  cancel_requested_at: Time,
  cancel_delivered_at: Time,
  payment_method: z.string(),
  lines: z.array(
    z.object({
      product_id: z.string(),
      name: z.string(),
      quantity: z.int(),
      unit_price: z.int(),
    }),
  ),
  /** As the participants answered, by their own clocks. */
  steps: z.array(
    z.object({
      name: z.string(),
      outcome: z.string(),
      reason: z.string().nullable(),
      at: z.iso.datetime(),
    }),
  ),
  /** What operators did, and sweeps in their place. */
  actions: z.array(
    z.object({
      action_id: z.string(),
      operator: z.string(),
      action: z.string(),
      step: z.string().nullable(),
      note: z.string().nullable(),
      at: z.iso.datetime(),
    }),
  ),
})

export const OrderRecord = Money.extend(Times.shape).extend({ status: z.string() })

export const PaymentRecord = OrderRecord.extend({
  method: z.string(),
  provider_reference: z.string().nullable(),
  failure_reason: z.string().nullable(),
  /** What the provider's own ledger says. Null: it knows no charge. `UNAVAILABLE`: it did not answer. */
  provider_status: z.string().nullable(),
})

export const HoldRecord = z.object({
  product_id: z.string(),
  quantity: z.int(),
  status: z.string(),
  updated_at: z.iso.datetime(),
  stock: z.int(),
  held: z.int(),
  sold: z.int(),
  received: z.int(),
})

export const SagaDetails = z.object({
  saga: Saga,
  /** What Temporal recorded, in order. Empty when it does not know the saga. */
  timeline: z.array(TimelineEntry),
  /** Whether the history is longer than what is shown of it. */
  truncated: z.boolean(),
  purchase: PurchaseRecord.nullable(),
  order: OrderRecord.nullable(),
  payment: PaymentRecord.nullable(),
  stock: z.array(HoldRecord),
  /** Services that did not answer; what they have is missing here and not in the shop. */
  unavailable: z.array(z.string()),
  /** The saga in the Temporal Web UI; null when Temporal does not know it. */
  temporal_url: z.string().nullable(),
  /** Whether nothing of it changes any more: order and stock are settled, and no operator is waited for. */
  final: z.boolean(),
})
export type SagaDetails = z.infer<typeof SagaDetails>
