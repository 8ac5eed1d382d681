import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import Stripe from 'stripe'
import { providerMethod } from './methods.ts'
import {
  type CaptureResult,
  type ChargeStatus,
  type Declined,
  type PaymentProvider,
  ProviderOverloadedError,
  ProviderUnavailableError,
  type RefundResult,
} from './provider.ts'

/** Longer than the guard waits, so that a deadline is the guard's. Then the connection is closed too. */
const graceMs = 250

type Options = {
  /** Where the provider's API is. */
  url: string
  key: string
  timeoutMs: number
  /** Calls at a time. */
  connections: number
}

/** The client of Stripe's API, or of what speaks like it. The caller repeats and bounds the calls. */
export function connectStripe({ url, key, timeoutMs, connections }: Options) {
  const { protocol, hostname, port } = new URL(url)
  const secure = protocol === 'https:'
  const Agent = secure ? HttpsAgent : HttpAgent
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const stripe = new Stripe(key, {
    protocol: secure ? 'https' : 'http',
    host: hostname,
    port: port || (secure ? 443 : 80),
    httpAgent: agent,
    maxNetworkRetries: 0,
    timeout: timeoutMs + graceMs,
    telemetry: false,
  })
  return { stripe, close: () => agent.destroy() }
}

/**
 * Payments as Stripe's PaymentIntents. An intent is made without a confirmation, under an idempotency key that is the
 * purchase's id, so its id is known before money can move; confirming it captures. From then on the state of the
 * intent, which Stripe changes one call after the other, makes repeats harmless, for longer than a key lives (a day).
 */
export function createStripeProvider(stripe: Stripe): PaymentProvider {
  const intents = stripe.paymentIntents

  async function cancel(id: string): Promise<{ outcome: 'voided' | 'captured' }> {
    return answered(async () => {
      try {
        await intents.cancel(id)
        return { outcome: 'voided' }
      } catch (error) {
        const outcome = outcomeOf(unexpectedState(error))
        if (!outcome) throw error
        return { outcome }
      }
    })
  }

  async function findRefund(reference: string, key: string): Promise<Stripe.Refund | undefined> {
    for await (const refund of stripe.refunds.list({ payment_intent: reference, limit: 100 })) {
      if (refund.metadata?.refund_id === key) return refund
    }
    return undefined
  }

  return {
    prepare: ({ key, amount, currencyCode, method }) =>
      answered(async () => {
        try {
          const { id } = await intents.create(
            {
              amount,
              currency: currencyCode.toLowerCase(),
              payment_method: providerMethod(method),
              // A method that sends the customer elsewhere cannot be part of a saga.
              automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
              metadata: { purchase_id: key },
            },
            { idempotencyKey: key },
          )
          return { outcome: 'prepared', reference: id }
        } catch (error) {
          return declineOf(error)
        }
      }),

    async capture(reference): Promise<CaptureResult> {
      const result = await answered(async () => {
        try {
          const { status } = await intents.confirm(reference)
          if (status === 'succeeded') return { outcome: 'captured' } as const
          if (status !== 'requires_action') throw new Error(`the confirmation is ${status}`)
          return { outcome: 'declined', reason: 'authentication_required' } as const
        } catch (error) {
          if (error instanceof Stripe.errors.StripeCardError) return declineOf(error)
          const outcome = outcomeOf(unexpectedState(error))
          if (!outcome) throw error
          return { outcome }
        }
      })
      if (result.outcome !== 'declined') return result
      // Stripe lets a declined intent be confirmed again. Once it is cancelled, no confirmation on its way captures.
      const { outcome } = await cancel(reference)
      return outcome === 'captured' ? { outcome } : result
    },

    void: cancel,

    refund: (reference) =>
      answered(async () => {
        try {
          await stripe.refunds.create({ payment_intent: reference })
        } catch (error) {
          if (codeOf(error) !== 'charge_already_refunded') throw error
        }
        return { outcome: 'refunded' }
      }),

    refundPart: (reference, { amount, key }) =>
      answered(async () => {
        // A key lives for a day, and a refund may be retried for longer; the list knows it for good.
        const known = await findRefund(reference, key)
        if (known) return resultOf(known)
        try {
          const created = await stripe.refunds.create(
            { payment_intent: reference, amount, metadata: { refund_id: key } },
            { idempotencyKey: key },
          )
          return resultOf(created)
        } catch (error) {
          if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error
          return { outcome: 'refused', reason: error.code ?? 'invalid_request' }
        }
      }),

    status: (reference) =>
      answered(async () => {
        const expand = ['latest_charge']
        return chargeStatusOf(await intents.retrieve(reference, { expand }))
      }),
  }
}

/** One that the bank still has to take is on its way: the provider has taken it from the shop. */
function resultOf({ id, status, failure_reason }: Stripe.Refund): RefundResult {
  if (status !== 'failed' && status !== 'canceled') return { outcome: 'refunded', reference: id }
  return { outcome: 'refused', reason: failure_reason ?? status }
}

/** What an intent's status says for good; undefined while it can still change. */
function outcomeOf(status: Stripe.PaymentIntent.Status): 'captured' | 'voided' | undefined {
  if (status === 'succeeded') return 'captured'
  return status === 'canceled' ? 'voided' : undefined
}

function chargeStatusOf({ status, latest_charge }: Stripe.PaymentIntent): ChargeStatus {
  if (latest_charge instanceof Object && latest_charge.refunded) return 'REFUNDED'
  const outcome = outcomeOf(status)
  if (!outcome) return 'OPEN'
  return outcome === 'captured' ? 'CAPTURED' : 'VOIDED'
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Stripe.errors.StripeError ? error.code : undefined
}

/** The status that an intent had instead; throws every other error. */
function unexpectedState(error: unknown): Stripe.PaymentIntent.Status {
  if (codeOf(error) !== 'payment_intent_unexpected_state') throw error
  const { payment_intent } = error as InstanceType<typeof Stripe.errors.StripeError>
  if (!payment_intent) throw error
  return payment_intent.status
}

/** A "no" that stays one: the card, or what was asked, is refused. Throws every other error. */
function declineOf(error: unknown): Declined {
  const { StripeCardError, StripeInvalidRequestError } = Stripe.errors
  if (error instanceof StripeCardError) {
    return { outcome: 'declined', reason: error.decline_code || (error.code ?? 'card_declined') }
  }
  if (error instanceof StripeInvalidRequestError) {
    return { outcome: 'declined', reason: error.code ?? 'invalid_request' }
  }
  throw error
}

/** Everything that is no answer is ProviderUnavailableError. */
async function answered<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    const { StripeConnectionError, StripeRateLimitError } = Stripe.errors
    if (cause instanceof StripeRateLimitError) {
      const seconds = Number(cause.headers?.['retry-after']) || 0
      const retryAfterMs = seconds * 1_000
      throw new ProviderUnavailableError('the provider has no time', { cause, retryAfterMs })
    }
    if (cause instanceof StripeConnectionError && /timeout/i.test(cause.message)) {
      throw new ProviderOverloadedError('the provider did not answer in time', { cause })
    }
    throw new ProviderUnavailableError('the provider gave no answer', { cause })
  }
}
