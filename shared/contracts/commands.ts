import { z } from 'zod'
import {
  type AnyCommandName,
  anyCommandSteps,
  type CommandInfo,
  type CommandName,
  commandNames,
  commandSteps,
  type DoName,
  isUndo,
  type RefundCommandName,
  refundCommandNames,
  type StepInfo,
  type UndoName,
} from './steps.ts'
import { storable } from './text.ts'

/** A money amount in minor units of its currency (VND has none, so 125 is 125 ₫). */
export const Amount = z.int().positive().meta({ description: 'Minor units of the currency' })

/** How many products one purchase may have. */
export const maxLines = 100

/** The maximum length of a word that a program chose: a method, a reason, a step. */
export const word = storable(255)

export const currencyCode = storable(3).length(3)

/** A quantity may be the sum of many lines, and PostgreSQL stores 32 bits of it. */
export const StockLine = z.strictObject({ product_id: z.uuid(), quantity: z.int32().positive() })
export type StockLine = z.infer<typeof StockLine>

/** A line with the name and price at the time of the purchase: later changes do not affect it. */
export const PricedLine = StockLine.extend({ name: storable(1_000), unit_price: Amount })
export type PricedLine = z.infer<typeof PricedLine>

export const ReserveStock = z.strictObject({ lines: z.array(StockLine).min(1).max(maxLines) })
export type ReserveStock = z.infer<typeof ReserveStock>

export const CreateOrder = z.strictObject({
  customer_id: z.uuid(),
  lines: z.array(PricedLine).min(1).max(maxLines),
  amount: Amount,
  currency_code: currencyCode,
})
export type CreateOrder = z.infer<typeof CreateOrder>

export const TakePayment = z.strictObject({
  customer_id: z.uuid(),
  amount: Amount,
  currency_code: currencyCode,
  method: word.min(1),
  /** Under which the provider knows the payment already, when payment has lost its row. */
  provider_reference: word.min(1).optional(),
})
export type TakePayment = z.infer<typeof TakePayment>

/** An undo needs nothing but the purchase id of its headers: what to undo is known where it was done. */
export const Undo = z.strictObject({})
export type Undo = z.infer<typeof Undo>

/** So much of a payment goes back. The same refund id is one refund, here and at the provider. */
export const ReturnMoney = z.strictObject({ refund_id: z.uuid(), amount: Amount })
export type ReturnMoney = z.infer<typeof ReturnMoney>

/** What of the purchase goes back into the free stock: of these products all that it bought. */
export const ReturnStock = z.strictObject({
  refund_id: z.uuid(),
  product_ids: z.array(z.uuid()).min(1).max(maxLines),
})
export type ReturnStock = z.infer<typeof ReturnStock>

/** How a refund can end. */
export const RefundEnd = z.enum(['COMPLETED', 'FAILED', 'RESOLVED'])
export type RefundEnd = z.infer<typeof RefundEnd>

export const CloseRefund = z.strictObject({ refund_id: z.uuid(), status: RefundEnd })
export type CloseRefund = z.infer<typeof CloseRefund>

/**
 * Why a step was refused: a business "no", `undone` (its undo came first, or an operator closed its refund), `expired`
 * or `invalid`.
 */
export const RejectionReason = z.enum([
  'out_of_stock',
  'product_not_found',
  'payment_declined',
  'payment_unavailable',
  'refund_refused',
  'undone',
  'expired',
  'invalid',
])
export type RejectionReason = z.infer<typeof RejectionReason>

export const Rejected = z.object({ outcome: z.literal('rejected'), reason: RejectionReason })
export type Rejected = z.infer<typeof Rejected>

const Done = z.object({ outcome: z.literal('done') })
const PaymentTaken = Done.extend({ provider_reference: word })

const reply = <D extends typeof Done>(done: D) => z.discriminatedUnion('outcome', [done, Rejected])

/** What each step asks of its participant, and what may come back. */
const messages = {
  reserveStock: { request: ReserveStock, reply: reply(Done) },
  createOrder: { request: CreateOrder, reply: reply(Done) },
  takePayment: { request: TakePayment, reply: reply(PaymentTaken) },
} as const satisfies Record<DoName, { request: z.ZodType; reply: z.ZodType }>

const undoMessages = { request: Undo, reply: Done } as const

/** The same of the refund saga: only the first step may be refused. */
const refundMessages = {
  returnMoney: { request: ReturnMoney, reply: reply(Done) },
  returnStock: { request: ReturnStock, reply: Done },
  closeRefund: { request: CloseRefund, reply: Done },
} as const satisfies Record<RefundCommandName, { request: z.ZodType; reply: z.ZodType }>

type Messages = { [N in DoName]: (typeof messages)[N] } & {
  [N in UndoName]: typeof undoMessages
} & { [N in RefundCommandName]: (typeof refundMessages)[N] }

/** Everything that a saga can ask of a participant: the step registry, with what is sent and what may come back. */
export const commands = Object.fromEntries([
  ...commandNames.map((name) => [
    name,
    { ...commandSteps[name], ...(isUndo(name) ? undoMessages : messages[name]) },
  ]),
  ...refundCommandNames.map((name) => [
    name,
    { ...anyCommandSteps[name], ...refundMessages[name] },
  ]),
]) as { [N in CommandName]: CommandInfo & Messages[N] } & {
  [N in RefundCommandName]: StepInfo & Messages[N]
}

export type Request<N extends AnyCommandName> = z.infer<Messages[N]['request']>
export type Reply<N extends AnyCommandName> = z.infer<Messages[N]['reply']>
export type AnyReply = Reply<AnyCommandName>
