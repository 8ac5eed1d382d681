import { type Intent, newProviderId, nowSeconds, type Refund } from './ledger.ts'

/** The shapes of Stripe's API, as far as its clients read them. */

export function toPaymentIntent(intent: Intent, expandCharge = false) {
  return {
    id: intent.id,
    object: 'payment_intent',
    amount: intent.amount,
    amount_capturable: 0,
    amount_received: intent.status === 'succeeded' ? intent.amount : 0,
    canceled_at: intent.canceled_at,
    capture_method: 'automatic',
    client_secret: `${intent.id}_secret`,
    confirmation_method: 'automatic',
    created: intent.created,
    currency: intent.currency,
    last_payment_error: intent.failure ? toCardError(intent.failure) : null,
    latest_charge: expandCharge && intent.charge ? toCharge(intent) : intent.charge,
    livemode: false,
    metadata: intent.metadata,
    payment_method: intent.payment_method,
    payment_method_types: ['card'],
    status: intent.status,
  }
}

export function toCharge(intent: Intent) {
  return {
    id: intent.charge,
    object: 'charge',
    amount: intent.amount,
    amount_captured: intent.amount,
    amount_refunded: intent.refunded,
    captured: true,
    created: intent.created,
    currency: intent.currency,
    disputed: intent.disputed,
    livemode: false,
    metadata: intent.metadata,
    paid: true,
    payment_intent: intent.id,
    payment_method: intent.payment_method,
    refunded: intent.refunded === intent.amount,
    status: 'succeeded',
  }
}

export function toRefund({ id, intent, amount, metadata, created }: Refund, of: Intent) {
  return {
    id,
    object: 'refund',
    amount,
    charge: of.charge,
    created,
    currency: of.currency,
    metadata,
    payment_intent: intent,
    reason: null,
    status: 'succeeded',
  }
}

export function toDispute(intent: Intent) {
  return {
    id: newProviderId('du'),
    object: 'dispute',
    amount: intent.amount,
    charge: intent.charge,
    created: nowSeconds(),
    currency: intent.currency,
    evidence_details: { due_by: null, has_evidence: false, past_due: false, submission_count: 0 },
    livemode: false,
    metadata: {},
    payment_intent: intent.id,
    reason: 'fraudulent',
    status: 'needs_response',
  }
}

export function toEvent(type: string, object: object) {
  return {
    id: newProviderId('evt'),
    object: 'event',
    api_version: null,
    created: nowSeconds(),
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    request: null,
    type,
  }
}

export function toCardError(declineCode: string) {
  return {
    type: 'card_error',
    code: 'card_declined',
    decline_code: declineCode,
    message: 'Your card was declined.',
  }
}
