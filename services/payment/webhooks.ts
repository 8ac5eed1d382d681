import { Counter } from 'prom-client'
import type Stripe from 'stripe'
import { AppError } from '../../shared/runtime/errors.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { Metrics } from '../../shared/runtime/metrics.ts'
import type { EventRepository, ReportedEvent } from './event-repository.ts'

export type Webhooks = ReturnType<typeof createWebhooks>

/**
 * Takes the events that the provider reports. They may come twice, late, in any order, or before the answer to the call
 * that is their reason: each is stored once, and what it changes is decided by what our rows say now.
 */
export function createWebhooks({
  stripe,
  repository,
  secrets,
  toleranceSeconds,
  metrics: { registry },
  logger,
}: {
  stripe: Pick<Stripe, 'webhooks'>
  repository: Pick<EventRepository, 'recordCapture' | 'recordReversal'>
  /** One of them must have signed an event. */
  secrets: string[]
  /** How old a signature may be. */
  toleranceSeconds: number
  metrics: Pick<Metrics, 'registry'>
  logger: Logger
}) {
  const events = new Counter({
    name: 'payment_provider_events_total',
    help: 'Events of the payment provider by type and outcome: SETTLED, KNOWN, OUTSIDE, repeated, ignored or refused',
    labelNames: ['type', 'outcome'],
    registers: [registry],
  })

  /** Throws AppError('invalid') unless one of the secrets signed these bytes lately. */
  function verify(body: Buffer, signature: string): Stripe.Event {
    for (const secret of secrets) {
      try {
        return stripe.webhooks.constructEvent(body, signature, secret, toleranceSeconds)
      } catch {
        // The next secret may be the right one.
      }
    }
    events.inc({ type: 'unknown', outcome: 'refused' })
    const rule = 'must be a signature of these bytes by the provider, and recent'
    throw new AppError('invalid', `stripe-signature: ${rule}`, {
      fields: [{ field: 'stripe-signature', rule }],
    })
  }

  async function record(event: Stripe.Event) {
    const { recordCapture, recordReversal } = repository
    switch (event.type) {
      case 'payment_intent.succeeded': {
        const { id, amount_received, currency } = event.data.object
        return recordCapture(reported(event, id, amount_received, currency))
      }
      case 'charge.refunded': {
        const { payment_intent, amount_refunded, currency } = event.data.object
        return recordReversal(reported(event, payment_intent, amount_refunded, currency))
      }
      case 'charge.dispute.created': {
        const { payment_intent, amount, currency } = event.data.object
        return recordReversal(reported(event, payment_intent, amount, currency))
      }
      default:
        return undefined
    }
  }

  return {
    /** Takes one delivery. When it throws, the provider sends the event again. */
    async receive(body: Buffer, signature: string): Promise<void> {
      const event = verify(body, signature)
      const outcome = await record(event)
      // Only what was recorded has a type of a fixed few.
      if (outcome === undefined) events.inc({ type: 'other', outcome: 'ignored' })
      else events.inc({ type: event.type, outcome: outcome ?? 'repeated' })
      const fields = { event_id: event.id, type: event.type }
      if (outcome === 'OUTSIDE')
        logger.warn(fields, 'the provider reports what the shop did not do')
      if (outcome === 'SETTLED') logger.info(fields, 'payment settled by an event')
    },
  }
}

function reported(
  { id, type, created }: Stripe.Event,
  intent: string | { id: string } | null,
  amount: number,
  currency: string,
): ReportedEvent {
  const reference = typeof intent === 'string' ? intent : (intent?.id ?? '')
  const createdAt = new Date(created * 1_000)
  return { id, type, reference, amount, currencyCode: currency.toUpperCase(), createdAt }
}
