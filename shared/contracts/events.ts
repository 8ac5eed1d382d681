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

/** `key`: the field that keys its messages, when that is not the purchase. */
type EventSpec = { topic: Topic; body: z.ZodType; key?: string }

/** Published facts that are not replies. The event's name travels in the `event` header. */
export const events = {
  purchaseAccepted: { topic: 'purchases', body: PurchaseAccepted },
  settlementOverdue: { topic: 'purchases', body: SettlementOverdue },
  purchaseEnded: { topic: 'purchase-results', body: PurchaseEnded },
  emailRequested: { topic: 'emails', body: EmailRequested, key: 'to' },
} as const satisfies Record<string, EventSpec>

export type EventName = keyof typeof events
export type EventBody<N extends EventName> = z.infer<(typeof events)[N]['body']>
