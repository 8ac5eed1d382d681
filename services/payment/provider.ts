/** The provider did not answer. What was asked of it may have happened, or may still happen. */
export class ProviderUnavailableError extends Error {
  override name = 'ProviderUnavailableError'
  /** Sooner than this it will not answer. */
  readonly retryAfterMs: number

  constructor(
    message: string,
    { retryAfterMs = 0, ...options }: ErrorOptions & { retryAfterMs?: number } = {},
  ) {
    super(message, options)
    this.retryAfterMs = retryAfterMs
  }
}

/** It is of no use to ask again at once: the provider does not answer, or has no time for this customer. */
export class ProviderOverloadedError extends ProviderUnavailableError {
  override name = 'ProviderOverloadedError'
}

/** `amount` is in minor units. `key` is the purchase's id: one key is one charge at the provider. */
export type Charge = { key: string; amount: number; currencyCode: string; method: string }

export type Declined = { outcome: 'declined'; reason: string }

export type PrepareResult = { outcome: 'prepared'; reference: string } | Declined

export type CaptureResult =
  | { outcome: 'captured' }
  /** For good: the reference was voided with it. */
  | Declined
  /** The reference was voided before. */
  | { outcome: 'voided' }

/** `amount` is in minor units. `key` is the refund's id. */
export type RefundPart = { amount: number; key: string }

export type RefundResult =
  | { outcome: 'refunded'; reference: string }
  /** For good, and nothing was given back: more is asked for than is left, or the charge is disputed. */
  | { outcome: 'refused'; reason: string }

/** What the provider holds under a reference. OPEN: nothing was captured yet, and a capture may still come. */
export type ChargeStatus = 'OPEN' | 'CAPTURED' | 'REFUNDED' | 'VOIDED'

/**
 * What this service needs of a payment provider. Each call can be repeated when its answer got lost, and throws
 * ProviderUnavailableError when there is no answer.
 */
export type PaymentProvider = {
  /** Makes the provider know a charge, without moving money. The same key gives the same reference. */
  prepare(charge: Charge): Promise<PrepareResult>
  /** Moves the money of a prepared charge, once. */
  capture(reference: string): Promise<CaptureResult>
  /** Refuses every later capture of the reference. `captured`: it came too late, and a refund is what is left. */
  void(reference: string): Promise<{ outcome: 'voided' | 'captured' }>
  /** Gives back what is left of a capture. */
  refund(reference: string): Promise<{ outcome: 'refunded' }>
  /** Gives back so much of a capture, once per key, however long ago the first call was. */
  refundPart(reference: string, part: RefundPart): Promise<RefundResult>
  status(reference: string): Promise<ChargeStatus>
}
