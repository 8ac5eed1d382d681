import { LRUCache } from 'lru-cache'
import { Counter, Histogram } from 'prom-client'
import { type Metrics, requestBuckets } from '../../shared/runtime/metrics.ts'
import {
  type Breaker,
  CircuitOpenError,
  createBreaker,
  createShares,
  DeadlineError,
  ShareUsedUpError,
} from '../../shared/runtime/resilience.ts'
import { ProviderOverloadedError } from './provider.ts'

/** The customer and the method of a call. */
export type Payer = { customerId: string; method: string }

/**
 * Each has guards of its own: refunds work while captures fail, and a capture that fails is not hidden by calls before
 * it.
 */
export type CallKind = 'prepare' | 'capture' | 'give_back' | 'status'

export type ProviderGuard = ReturnType<typeof createProviderGuard>

/** How long a call waits for one of its customer or method to end. Calls that are answered take less. */
const waitMs = 250
/** Timeouts and errors in a row, of one kind and method. */
const failureThreshold = 5
/** Methods are few. The bound is there because a command may name any. */
const maxCircuits = 1_000

/**
 * Guards the calls of the payment provider. A call that hangs takes a consumer slot for `timeoutMs` at most, and few
 * slots: a customer may use a quarter of the `slots` and a method half of them. A method whose calls fail is not called
 * for `openMs`. A call that is refused here has not reached the provider.
 */
export function createProviderGuard({
  slots,
  timeoutMs,
  openMs = 2_000,
  metrics: { registry },
}: {
  /** How many commands the service handles at a time. */
  slots: number
  timeoutMs: number
  openMs?: number
  metrics: Pick<Metrics, 'registry'>
}) {
  const customers = createShares({ limit: Math.ceil(slots / 4), waitMs })
  const methods = createShares({ limit: Math.ceil(slots / 2), waitMs })
  const circuits = new LRUCache<string, Breaker>({ max: maxCircuits })
  const failures = new Counter({
    name: 'payment_provider_failures_total',
    help: 'Calls of the payment provider that failed or had no answer in time',
    registers: [registry],
  })
  const refused = new Counter({
    name: 'payment_provider_refused_calls_total',
    help: 'Calls that the payment provider was not asked, by what refused them: circuit or share',
    labelNames: ['by'],
    registers: [registry],
  })

  const seconds = new Histogram({
    name: 'payment_provider_call_duration_seconds',
    help: 'Time of a call of the payment provider, with its wait for a share: answered, failed, timeout, or refused by circuit or share',
    labelNames: ['kind', 'outcome'],
    buckets: requestBuckets,
    registers: [registry],
  })

  function circuitOf(key: string): Breaker {
    const known = circuits.get(key)
    if (known) return known
    const circuit = createBreaker({ deadlineMs: timeoutMs, openMs, failureThreshold, failures })
    circuits.set(key, circuit)
    return circuit
  }

  return {
    /**
     * Calls the provider, for `withinMs` at most. Throws ProviderOverloadedError when it does not answer or is not
     * asked.
     */
    async call<T>(
      kind: CallKind,
      { customerId, method }: Payer,
      use: () => Promise<T>,
      withinMs = timeoutMs,
    ): Promise<T> {
      const guarded = `${kind}/${method}`
      const within = Math.min(withinMs, timeoutMs)
      const end = seconds.startTimer({ kind })
      try {
        const answer = await customers.run(customerId, () =>
          methods.run(guarded, () => circuitOf(guarded).run(use, within)),
        )
        end({ outcome: 'answered' })
        return answer
      } catch (cause) {
        end({ outcome: outcomeOf(cause) })
        if (cause instanceof CircuitOpenError) refused.inc({ by: 'circuit' })
        else if (cause instanceof ShareUsedUpError) refused.inc({ by: 'share' })
        else if (!(cause instanceof DeadlineError)) throw cause
        throw new ProviderOverloadedError(`the provider did not answer: ${guarded}`, { cause })
      }
    },
  }
}

function outcomeOf(cause: unknown): string {
  if (cause instanceof CircuitOpenError) return 'circuit'
  if (cause instanceof ShareUsedUpError) return 'share'
  return cause instanceof DeadlineError ? 'timeout' : 'failed'
}
