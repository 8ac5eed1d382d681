import { z } from 'zod'
import { Amount, PricedLine } from './commands.ts'
import { EmailRequested } from './mail.ts'
import type { Topic } from './topics.ts'

/** How a purchase can end (I3). The workflow returns one of these and never fails. */
export const TerminalStatus = z.enum(['COMPLETED', 'REJECTED', 'CANCELLED', 'RESOLVED'])
export type TerminalStatus = z.infer<typeof TerminalStatus>

/** A purchase as it was accepted: the input of its saga. */
export const PurchaseAccepted = z.object({
  purchase_id: z.uuid(),
  customer_id: z.uuid(),
  lines: z.array(PricedLine).min(1),
  amount: Amount,
  currency_code: z.string().length(3),
  payment_method: z.string().min(1),
})
export type PurchaseAccepted = z.infer<typeof PurchaseAccepted>

/** A participant holds something of a purchase for too long without hearing how the purchase ended. */
export const SettlementOverdue = z.object({ purchase_id: z.uuid() })
export type SettlementOverdue = z.infer<typeof SettlementOverdue>

/** The customer does not want a purchase any more; for the orchestrator in which its saga waits for a reply. */
export const CancelWished = z.object({ purchase_id: z.uuid() })

/** The end of a purchase; participants settle what they hold for it. */
export const PurchaseEnded = z.object({
  purchase_id: z.uuid(),
  /** Null when the accepted purchase could not be read, which ended it. */
  customer_id: z.uuid().nullable(),
  status: TerminalStatus,
  reason: z.string().nullable(),
  failed_step: z.string().nullable(),
})
export type PurchaseEnded = z.infer<typeof PurchaseEnded>

/** Something of a purchase cannot go on by itself. It may go on all the same, and says so by ending. */
export const AttentionNeeded = z.object({
  purchase_id: z.uuid(),
  /** The undos that are stuck, as far as it is about undos. */
  steps: z.array(z.string()),
  reason: z.enum([
    'undo_stuck',
    'undo_poisoned',
    'settlement_poisoned',
    'saga_overdue',
    'saga_broken',
  ]),
})
export type AttentionNeeded = z.infer<typeof AttentionNeeded>

/** What was done to a purchase by hand, or by a sweep in the place of a hand. */
export const OperatorActed = z.object({
  action_id: z.string().min(1),
  purchase_id: z.uuid(),
  operator: z.string().min(1),
  action: z.enum(['retry', 'resolve', 'cancel', 'reset']),
  /** Null: all that was stuck, or the whole purchase. */
  step: z.string().nullable(),
  note: z.string().nullable(),
  at: z.iso.datetime(),
})
export type OperatorActed = z.infer<typeof OperatorActed>

/** `key`: the field that keys its messages, when that is not the purchase. */
type EventSpec = { topic: Topic; body: z.ZodType; key?: string }

/** Published facts that are not replies. The event's name travels in the `event` header. */
export const events = {
  purchaseAccepted: { topic: 'purchases', body: PurchaseAccepted },
  settlementOverdue: { topic: 'purchases', body: SettlementOverdue },
  cancelWished: { topic: 'purchases', body: CancelWished },
  purchaseEnded: { topic: 'purchase-results', body: PurchaseEnded },
  attentionNeeded: { topic: 'purchase-results', body: AttentionNeeded },
  operatorActed: { topic: 'purchase-results', body: OperatorActed },
  emailRequested: { topic: 'emails', body: EmailRequested, key: 'to' },
} as const satisfies Record<string, EventSpec>

export type EventName = keyof typeof events
export type EventBody<N extends EventName> = z.infer<(typeof events)[N]['body']>
