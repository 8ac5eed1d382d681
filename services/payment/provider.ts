/** The provider did not answer. What was asked of it may have happened, or may still happen. */
export class ProviderUnavailableError extends Error {
  override name = 'ProviderUnavailableError'
}

/** `amount` is in minor units. Everything the provider does, it does once per `key`. */
export type Charge = { key: string; amount: number; currencyCode: string; method: string }

export type CaptureResult =
  | { outcome: 'captured'; reference: string }
  | { outcome: 'declined'; reason: string }
  /** The key was voided before. */
  | { outcome: 'voided' }

export type ChargeStatus = 'NEW' | 'CAPTURED' | 'DECLINED' | 'REFUNDED' | 'VOIDED'

/**
 * What this service needs of a payment provider. Each call is idempotent by key, so that it can be repeated when
 * its answer got lost, and throws ProviderUnavailableError when there is no answer.
 */
export type PaymentProvider = {
  capture(charge: Charge): Promise<CaptureResult>
  /** Refuses every later capture of the key. `captured`: it came too late, and a refund is what is left. */
  void(key: string): Promise<{ outcome: 'voided' | 'captured' }>
  /** Gives back what was captured under the key. */
  refund(key: string): Promise<{ outcome: 'refunded' }>
  /** Null: the provider has never heard of the key. */
  status(key: string): Promise<ChargeStatus | null>
}

/** Waits for a call of the provider for `ms` at most; it throws ProviderUnavailableError after that. */
export async function answerWithin<T>(ms: number, call: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const error = new ProviderUnavailableError(`the provider did not answer in ${ms} ms`)
  const timer = setTimeout(reject, ms, error)
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
  }
}
