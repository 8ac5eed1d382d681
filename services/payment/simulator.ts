import {
  type CaptureResult,
  type Charge,
  type PaymentProvider,
  ProviderUnavailableError,
} from './provider.ts'
import type { Change, SimulatorRepository, StoredCharge } from './simulator-repository.ts'

/** `answer` undefined: the call goes without one. */
type Decision<A> = Change & { answer?: A }

/** A key that is voided before its capture arrived; ISO 4217 has XXX for "no currency". */
const unknownCharge = { amount: 0, currencyCode: 'XXX', method: 'unknown' }

/**
 * A payment provider without a provider: deterministic by payment method, with a ledger of its own.
 *
 *   sim_ok            captures
 *   sim_declined      declines, as does every method that is not in this list
 *   sim_timeout       captures, but the answer is lost: money moved and nobody knows
 *   sim_fail_once     the first capture has no answer and no effect, the second works
 *   sim_refund_fails  captures; giving back has no answer for the first `refundFailures` calls
 */
export function createSimulator({
  repository,
  refundFailures,
}: {
  repository: SimulatorRepository
  refundFailures: number
}): PaymentProvider {
  async function ask<A>(charge: Charge, decide: (stored: StoredCharge) => Decision<A>): Promise<A> {
    return answerOf(await orUnavailable(repository.change(charge, decide)))
  }

  /** A charge that is new is one statement. */
  async function askFirst(charge: Charge): Promise<CaptureResult> {
    const decision = decideCapture({ ...charge, status: 'NEW', attempts: 0 })
    if (await orUnavailable(repository.insert(charge, decision))) return answerOf(decision)
    return ask(charge, decideCapture)
  }

  function givingBackFails({ method, attempts }: StoredCharge): boolean {
    return method === 'sim_refund_fails' && attempts < refundFailures
  }

  function decideVoid(stored: StoredCharge): Decision<{ outcome: 'voided' | 'captured' }> {
    switch (stored.status) {
      case 'NEW':
      case 'DECLINED':
        return { status: 'VOIDED', entry: 'VOID', answer: { outcome: 'voided' } }
      case 'VOIDED':
        return { answer: { outcome: 'voided' } }
      case 'REFUNDED':
        return { answer: { outcome: 'captured' } }
      case 'CAPTURED':
        if (givingBackFails(stored)) return { attempts: stored.attempts + 1 }
        return { answer: { outcome: 'captured' } }
    }
  }

  function decideRefund(stored: StoredCharge): Decision<{ outcome: 'refunded' }> {
    switch (stored.status) {
      case 'CAPTURED':
        if (givingBackFails(stored)) return { attempts: stored.attempts + 1 }
        return { status: 'REFUNDED', entry: 'REFUND', answer: { outcome: 'refunded' } }
      case 'REFUNDED':
        return { answer: { outcome: 'refunded' } }
      default:
        throw new Error(`nothing was captured under ${stored.key}`)
    }
  }

  return {
    async capture(charge) {
      const answer = await askFirst(charge)
      return charge.method === 'sim_timeout' ? lost() : answer
    },
    void: (key) => ask({ ...unknownCharge, key }, decideVoid),
    refund: (key) => ask({ ...unknownCharge, key }, decideRefund),
    status: (key) => orUnavailable(repository.findStatus(key)),
  }
}

function answerOf<A>({ answer }: Decision<A>): A {
  if (answer === undefined) throw new ProviderUnavailableError('the simulated provider is away')
  return answer
}

function decideCapture({ key, status, method, attempts }: StoredCharge): Decision<CaptureResult> {
  const captured: CaptureResult = { outcome: 'captured', reference: `sim-${key}` }
  const declined: CaptureResult = { outcome: 'declined', reason: 'refused by the provider' }
  switch (status) {
    case 'CAPTURED':
      return { answer: captured }
    case 'DECLINED':
      return { answer: declined }
    case 'VOIDED':
    case 'REFUNDED':
      return { answer: { outcome: 'voided' } }
    case 'NEW':
      if (method === 'sim_fail_once' && attempts === 0) return { attempts: 1 }
      if (!capturing.has(method)) return { status: 'DECLINED', answer: declined }
      return { status: 'CAPTURED', entry: 'CAPTURE', answer: captured }
  }
}

const capturing = new Set(['sim_ok', 'sim_timeout', 'sim_fail_once', 'sim_refund_fails'])

function lost(): Promise<never> {
  return new Promise(() => undefined)
}

async function orUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new ProviderUnavailableError('the simulated provider failed', { cause })
  }
}
