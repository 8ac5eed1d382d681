import { z } from 'zod'
import { Amount, currencyCode, maxLines, PricedLine, RefundEnd, word } from './commands.ts'
import { EmailRequested } from './mail.ts'
import { storable } from './text.ts'
import type { Topic } from './topics.ts'

/** How a purchase can end (I3). The workflow returns one of these and never fails. */
export const TerminalStatus = z.enum(['COMPLETED', 'REJECTED', 'CANCELLED', 'RESOLVED'])
export type TerminalStatus = z.infer<typeof TerminalStatus>

/** A purchase as it was accepted: the input of its saga. */
export const PurchaseAccepted = z.object({
  purchase_id: z.uuid(),
  customer_id: z.uuid(),
  lines: z.array(PricedLine).min(1).max(maxLines),
  amount: Amount,
  currency_code: currencyCode,
  payment_method: word.min(1),
})
export type PurchaseAccepted = z.infer<typeof PurchaseAccepted>

/** A participant has held something of a purchase for too long without an announcement of its end. */
export const SettlementOverdue = z.object({ purchase_id: z.uuid() })
export type SettlementOverdue = z.infer<typeof SettlementOverdue>

/** The result of one step. `timeout`: no reply came, and `at` is when the saga stopped waiting. */
export const StepOutcome = z.object({
  step: word,
  outcome: z.enum(['done', 'rejected', 'timeout']),
  reason: word.nullable(),
  /** When the participant sent its reply, by its own clock. */
  at: z.iso.datetime(),
})
export type StepOutcome = z.infer<typeof StepOutcome>

/** The end of a purchase; participants settle what they hold for it. */
export const PurchaseEnded = z.object({
  purchase_id: z.uuid(),
  /** Null when the accepted purchase could not be read, which ended it. */
  customer_id: z.uuid().nullable(),
  status: TerminalStatus,
  reason: word.nullable(),
  failed_step: word.nullable(),
  /** Every step that the saga took. Ends that an earlier version announced have none. */
  steps: z.array(StepOutcome).max(100).optional(),
})
export type PurchaseEnded = z.infer<typeof PurchaseEnded>

/** A purchase cannot continue without an operator. If it does continue, its end is announced as usual. */
export const AttentionNeeded = z.object({
  purchase_id: z.uuid(),
  /** The stuck undos, if undos are the reason. */
  steps: z.array(word).max(maxLines),
  reason: z.enum([
    'undo_stuck',
    'undo_poisoned',
    'refund_stuck',
    'settlement_poisoned',
    'saga_overdue',
    'saga_broken',
  ]),
})
export type AttentionNeeded = z.infer<typeof AttentionNeeded>

/** An action on a purchase by an operator, or by a sweep instead of an operator. */
export const OperatorActed = z.object({
  action_id: word.min(1),
  purchase_id: z.uuid(),
  operator: word.min(1),
  action: z.enum(['retry', 'resolve', 'cancel', 'reset']),
  /** Null: all that was stuck, or the whole purchase. */
  step: word.nullable(),
  note: storable(2_000).nullable(),
  at: z.iso.datetime(),
})
export type OperatorActed = z.infer<typeof OperatorActed>

/** A refund as it was asked for: the input of its saga. */
export const RefundRequested = z.object({
  refund_id: z.uuid(),
  purchase_id: z.uuid(),
  customer_id: z.uuid(),
  /** Whose lines it is about; null: an operator refunds, for all sellers. */
  seller_id: z.uuid().nullable(),
  amount: Amount,
  currency_code: currencyCode,
  /** What goes back into the free stock; none when that was not asked for. */
  product_ids: z.array(z.uuid()).max(maxLines),
})
export type RefundRequested = z.infer<typeof RefundRequested>

/** The end of a refund. */
export const RefundEnded = z.object({
  refund_id: z.uuid(),
  purchase_id: z.uuid(),
  customer_id: z.uuid(),
  seller_id: z.uuid().nullable(),
  status: RefundEnd,
  /** Why the provider gave nothing back. */
  reason: word.nullable(),
  amount: Amount,
  currency_code: currencyCode,
  /** Whether the provider gave the money back: an operator may have resolved a refund by other means. */
  returned: z.boolean(),
})
export type RefundEnded = z.infer<typeof RefundEnded>

/** `key`: the field that keys its messages, when that is not the purchase. */
type EventSpec = { topic: Topic; body: z.ZodType; key?: string }

/** Published facts that are not replies. The event's name travels in the `event` header. */
export const events = {
  purchaseAccepted: { topic: 'purchases', body: PurchaseAccepted },
  settlementOverdue: { topic: 'purchases', body: SettlementOverdue },
  purchaseEnded: { topic: 'purchase-results', body: PurchaseEnded },
  attentionNeeded: { topic: 'purchase-results', body: AttentionNeeded },
  operatorActed: { topic: 'purchase-results', body: OperatorActed },
  refundEnded: { topic: 'purchase-results', body: RefundEnded },
  emailRequested: { topic: 'emails', body: EmailRequested, key: 'to' },
} as const satisfies Record<string, EventSpec>

/** Events that no version sends any more and that may still be in a topic; consumers skip them. */
export const retiredEvents: ReadonlySet<string> = new Set(['cancelWished'])

export type EventName = keyof typeof events
export type EventBody<N extends EventName> = z.infer<(typeof events)[N]['body']>
