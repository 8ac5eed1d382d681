import { z } from 'zod'
import { ApiError, brokenApi, invalidRequest, missing } from './errors.ts'
import { type Intent, type Ledger, newProviderId, nowSeconds } from './ledger.ts'
import { behaviourOf } from './methods.ts'
import { toCardError, toCharge, toDispute, toPaymentIntent, toRefund } from './objects.ts'

/** Whether a call is answered at all, and what it reports. */
export type Result = { answer: object; lost?: boolean }
export type Report = (type: string, object: object) => void

const metadata = z.record(z.string().max(40), z.string().max(500)).default({})
const expand = z.array(z.string()).default([])
const amount = z.coerce.number().int().positive().max(99_999_999_999)

const CreateIntent = z.strictObject({
  amount,
  currency: z.string().regex(/^[a-z]{3}$/),
  payment_method: z.string().optional(),
  automatic_payment_methods: z
    .strictObject({
      enabled: z.enum(['true', 'false']),
      allow_redirects: z.enum(['always', 'never']),
    })
    .optional(),
  metadata,
  expand,
})
const Confirm = z.strictObject({ payment_method: z.string().optional(), expand })
const Cancel = z.strictObject({
  cancellation_reason: z
    .enum(['abandoned', 'duplicate', 'fraudulent', 'requested_by_customer'])
    .optional(),
  expand,
})
const Retrieve = z.strictObject({ expand })
const List = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(10),
  starting_after: z.string().optional(),
  ending_before: z.string().optional(),
  expand,
})
const ListRefunds = z.strictObject({
  payment_intent: z.string(),
  limit: List.shape.limit,
  starting_after: z.string().optional(),
  expand,
})
const CreateRefund = z.strictObject({
  payment_intent: z.string(),
  amount: amount.optional(),
  reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
  metadata,
  expand,
})

export type Payments = ReturnType<typeof createPayments>

/** Decides what a call does to the ledger. Each function runs in one transaction, and throws ApiErrors. */
export function createPayments({
  ledger,
  report,
  refundFailures,
}: {
  ledger: Ledger
  report: Report
  /** How many calls to give money back fail with the method that says so. */
  refundFailures: () => number
}) {
  function find(id: string): Intent {
    const intent = ledger.findIntent(id)
    if (!intent) throw missing('payment_intent', id, 'intent')
    return intent
  }

  /** A change that stays although the call is answered with an error. */
  function failOnPurpose(intent: Intent): never {
    ledger.updateIntent({ ...intent, failed_calls: intent.failed_calls + 1 })
    throw brokenApi()
  }

  function decline(intent: Intent, code: string): never {
    const declined: Intent = { ...intent, status: 'requires_payment_method', failure: code }
    ledger.updateIntent(declined)
    const object = toPaymentIntent(declined)
    throw new ApiError(402, { ...cardError(code), payment_intent: object }, { kept: true })
  }

  function charge(intent: Intent, behaviour: string): Result {
    const disputed = behaviour === 'dispute'
    const charge = newProviderId('ch')
    const paid: Intent = { ...intent, status: 'succeeded', charge, failure: null, disputed }
    ledger.updateIntent(paid)
    const lost = behaviour === 'lose_answer'
    if (!lost) report('payment_intent.succeeded', toPaymentIntent(paid))
    if (disputed) report('charge.dispute.created', toDispute(paid))
    return { answer: toPaymentIntent(paid), lost }
  }

  function giveBackFails({ payment_method, failed_calls }: Intent): boolean {
    return behaviourOf(payment_method ?? '') === 'refund_fails' && failed_calls < refundFailures()
  }

  return {
    createIntent(params: unknown): Result {
      const { amount, currency, payment_method = null, metadata } = parse(CreateIntent, params)
      if (payment_method !== null && !behaviourOf(payment_method)) {
        const rest = { code: 'resource_missing', param: 'payment_method' }
        throw invalidRequest(`No such PaymentMethod: '${payment_method}'`, rest)
      }
      const intent = ledger.insertIntent({ amount, currency, payment_method, metadata })
      return { answer: toPaymentIntent(intent) }
    },

    confirm(params: unknown, id: string): Result {
      const { payment_method } = parse(Confirm, params)
      const intent = { ...find(id), ...(payment_method && { payment_method }) }
      const behaviour = behaviourOf(intent.payment_method ?? '')
      if (intent.status === 'succeeded' && behaviour === 'lose_answer') {
        return { answer: {}, lost: true }
      }
      if (intent.status === 'succeeded' || intent.status === 'canceled') throw unexpected(intent)
      if (behaviour === undefined) {
        throw invalidRequest('A payment method is required.', { param: 'payment_method' })
      }
      if (behaviour === 'fail_once' && intent.failed_calls === 0) failOnPurpose(intent)
      if (behaviour === 'decline') decline(intent, 'generic_decline')
      return charge(intent, behaviour)
    },

    cancel(params: unknown, id: string): Result {
      parse(Cancel, params)
      const intent = find(id)
      if (intent.status === 'succeeded' && intent.refunded === 0 && giveBackFails(intent)) {
        failOnPurpose(intent)
      }
      if (intent.status === 'succeeded' || intent.status === 'canceled') throw unexpected(intent)
      const canceled: Intent = { ...intent, status: 'canceled', canceled_at: nowSeconds() }
      ledger.updateIntent(canceled)
      return { answer: toPaymentIntent(canceled) }
    },

    refund(params: unknown): Result {
      const { payment_intent: id, amount, metadata } = parse(CreateRefund, params)
      const intent = find(id)
      const left = intent.amount - intent.refunded
      if (intent.status !== 'succeeded') {
        throw invalidRequest('This PaymentIntent does not have a successful charge to refund.')
      }
      if (left === 0) {
        throw invalidRequest(`Charge ${intent.charge} has already been refunded.`, {
          code: 'charge_already_refunded',
        })
      }
      if (amount !== undefined && amount > left) {
        const message = `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`
        throw invalidRequest(message, { param: 'amount' })
      }
      if (giveBackFails(intent)) failOnPurpose(intent)
      const refund = ledger.insertRefund({ intent: id, amount: amount ?? left, metadata })
      const changed = { ...intent, refunded: intent.refunded + refund.amount }
      ledger.updateIntent(changed)
      report('charge.refunded', toCharge(changed))
      return { answer: toRefund(refund, changed) }
    },

    listRefunds(params: unknown): Result {
      const { payment_intent: id, limit, starting_after } = parse(ListRefunds, params)
      const intent = find(id)
      const page = ledger.listRefunds(id, { limit, startingAfter: starting_after })
      if (!page) throw missing('refund', starting_after ?? '', 'cursor')
      const data = page.refunds.map((refund) => toRefund(refund, intent))
      return { answer: { object: 'list', data, has_more: page.hasMore, url: '/v1/refunds' } }
    },

    retrieve(params: unknown, id: string): Result {
      const { expand } = parse(Retrieve, params)
      return { answer: toPaymentIntent(find(id), expand.includes('latest_charge')) }
    },

    list(params: unknown): Result {
      const { limit, starting_after, ending_before, expand } = parse(List, params)
      const page = ledger.listIntents({
        limit,
        startingAfter: starting_after,
        endingBefore: ending_before,
      })
      if (!page) throw missing('payment_intent', starting_after ?? ending_before ?? '', 'cursor')
      const expandCharge = expand.includes('data.latest_charge')
      const data = page.intents.map((intent) => toPaymentIntent(intent, expandCharge))
      const url = '/v1/payment_intents'
      return { answer: { object: 'list', data, has_more: page.hasMore, url } }
    },
  }
}

function unexpected(intent: Intent): ApiError {
  return invalidRequest(
    `This PaymentIntent could not be changed because it has a status of ${intent.status}.`,
    { code: 'payment_intent_unexpected_state', payment_intent: toPaymentIntent(intent) },
  )
}

function cardError(declineCode: string) {
  return { ...toCardError(declineCode), type: 'card_error' as const }
}

function parse<T extends z.ZodType>(schema: T, params: unknown): z.infer<T> {
  const result = schema.safeParse(params)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const unknown = issue?.code === 'unrecognized_keys'
  const param = unknown ? issue.keys[0] : issue?.path.join('.')
  throw invalidRequest(unknown ? `Received unknown parameter: ${param}` : (issue?.message ?? ''), {
    code: unknown ? 'parameter_unknown' : 'parameter_invalid',
    ...(param && { param }),
  })
}
