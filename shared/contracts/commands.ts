import { z } from 'zod'
import { steps } from './steps.ts'
import type { Topic } from './topics.ts'

/** A money amount in minor units of its currency (VND has none, so 125 is 125 ₫). */
export const Amount = z.int().positive().meta({ description: 'Minor units of the currency' })

export const StockLine = z.strictObject({ product_id: z.uuid(), quantity: z.int().positive() })
export type StockLine = z.infer<typeof StockLine>

/** A line with what the customer was shown when they bought: later price changes do not touch it. */
export const PricedLine = StockLine.extend({ name: z.string(), unit_price: Amount })
export type PricedLine = z.infer<typeof PricedLine>

export const ReserveStock = z.strictObject({ lines: z.array(StockLine).min(1) })
export type ReserveStock = z.infer<typeof ReserveStock>

export const CreateOrder = z.strictObject({
  customer_id: z.uuid(),
  lines: z.array(PricedLine).min(1),
  amount: Amount,
  currency_code: z.string().length(3),
})
export type CreateOrder = z.infer<typeof CreateOrder>

export const TakePayment = z.strictObject({
  customer_id: z.uuid(),
  amount: Amount,
  currency_code: z.string().length(3),
  method: z.string().min(1),
})
export type TakePayment = z.infer<typeof TakePayment>

/** An undo needs nothing but the purchase id of its headers: what to undo is known where it was done. */
export const Undo = z.strictObject({})
export type Undo = z.infer<typeof Undo>

/** Why a step was refused: a business "no", `undone` (its undo came first), `expired` or `invalid`. */
export const RejectionReason = z.enum([
  'out_of_stock',
  'product_not_found',
  'payment_declined',
  'payment_unavailable',
  'undone',
  'expired',
  'invalid',
])
export type RejectionReason = z.infer<typeof RejectionReason>

export const Rejected = z.object({ outcome: z.literal('rejected'), reason: RejectionReason })
export type Rejected = z.infer<typeof Rejected>

const Done = z.object({ outcome: z.literal('done') })
const PaymentTaken = Done.extend({ provider_reference: z.string() })

type CommandSpec = {
  topic: Topic
  /** Names the activity, the command id and the progress step. */
  step: string
  /** Set on an undo: the command that it undoes. */
  undoes?: string
  /** Where the step's reply stands in the purchase's progress. */
  sequence: number
  request: z.ZodType
  reply: z.ZodType
}

const reply = <D extends typeof Done>(done: D) => z.discriminatedUnion('outcome', [done, Rejected])

/** Everything the saga can ask of a participant: what is sent where, and what may come back. */
export const commands = {
  reserveStock: {
    topic: 'product-commands',
    step: steps.reserveStock,
    sequence: 10,
    request: ReserveStock,
    reply: reply(Done),
  },
  createOrder: {
    topic: 'order-commands',
    step: steps.createOrder,
    sequence: 20,
    request: CreateOrder,
    reply: reply(Done),
  },
  takePayment: {
    topic: 'payment-commands',
    step: steps.takePayment,
    sequence: 30,
    request: TakePayment,
    reply: reply(PaymentTaken),
  },
  refundPayment: {
    topic: 'payment-commands',
    step: steps.refundPayment,
    undoes: 'takePayment',
    sequence: 40,
    request: Undo,
    reply: Done,
  },
  cancelOrder: {
    topic: 'order-commands',
    step: steps.cancelOrder,
    undoes: 'createOrder',
    sequence: 50,
    request: Undo,
    reply: Done,
  },
  releaseStock: {
    topic: 'product-commands',
    step: steps.releaseStock,
    undoes: 'reserveStock',
    sequence: 60,
    request: Undo,
    reply: Done,
  },
} as const satisfies Record<string, CommandSpec>

export type CommandName = keyof typeof commands
export type Request<N extends CommandName> = z.infer<(typeof commands)[N]['request']>
export type Reply<N extends CommandName> = z.infer<(typeof commands)[N]['reply']>
export type AnyReply = Reply<CommandName>

type UndoName = {
  [N in CommandName]: (typeof commands)[N] extends { undoes: string } ? N : never
}[CommandName]

/** The commands that go forward, and so may be refused. */
export type DoName = Exclude<CommandName, UndoName>
export type { UndoName }

/** The commands that one participant's topic carries; the rest of the table is other services' work. */
export type CommandsOn<T extends Topic> = {
  [N in CommandName]: (typeof commands)[N]['topic'] extends T ? N : never
}[CommandName]
