import {
  BrokenCircuitError,
  type BulkheadPolicy,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleAll,
  type IBackoffFactory,
} from 'cockatiel'
import type { Counter } from 'prom-client'

/** The circuit is open: the dependency did not answer recently and was not asked. */
export class CircuitOpenError extends Error {
  override name = 'CircuitOpenError'
}

/** No answer within the deadline. The operation may have happened, or may still happen. */
export class DeadlineError extends Error {
  override name = 'DeadlineError'
}

/** Runs `use` and throws DeadlineError unless it settles within `ms`. The work itself is not stopped. */
export async function withDeadline<T>(ms: number, use: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const expire = () => late.reject(new DeadlineError(`no answer in ${ms} ms`))
  // An answer that waits in the socket because this process was busy still counts: it is read before the immediate.
  // This is why the deadline is not one of cockatiel's.
  const timer = setTimeout(setImmediate, ms, expire)
  try {
    return await Promise.race([use(), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

export type Breaker = ReturnType<typeof createBreaker>

/**
 * Guards a dependency that may be unavailable. A use gets `deadlineMs`. After `failureThreshold` failures in a row the
 * circuit is open: for `openMs` every use fails at once with CircuitOpenError, then a single use tries the dependency.
 */
export function createBreaker({
  deadlineMs = 150,
  openMs = 500,
  failureThreshold = 1,
  failures,
}: {
  deadlineMs?: number
  openMs?: number
  failureThreshold?: number
  /** Counts failed uses, without those that an open circuit refused. */
  failures?: Pick<Counter.Internal, 'inc'>
} = {}) {
  const circuit = circuitBreaker(handleAll, {
    breaker: new ConsecutiveBreaker(failureThreshold),
    halfOpenAfter: monotonic(openMs),
  })
  circuit.onFailure(() => failures?.inc())

  return {
    async run<T>(use: () => Promise<T>, withinMs = deadlineMs): Promise<T> {
      // The library would let other calls wait for the probe; here they fail at once, because the dependency is
      // probably unavailable.
      if (circuit.state === CircuitState.HalfOpen) throw new CircuitOpenError()
      try {
        return await circuit.execute(() => withDeadline(withinMs, use))
      } catch (error) {
        throw error instanceof BrokenCircuitError ? new CircuitOpenError() : error
      }
    },
  }
}

/**
 * A delay that starts when it is asked for. The library compares the time since then by the wall clock, and a clock
 * that is set back would keep the circuit open for as long; so the answer is "not yet" or "over", by the steady clock.
 */
function monotonic(ms: number): IBackoffFactory<unknown> {
  return {
    next() {
      const over = performance.now() + ms
      return {
        get duration() {
          return performance.now() < over ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
        },
        next: monotonic(ms).next,
      }
    },
  }
}

/** A client has used up its share of a common limit. */
export class ShareUsedUpError extends Error {
  override name = 'ShareUsedUpError'
}

/**
 * Gives each key, such as a customer, at most `limit` uses at a time. A further one waits for `waitMs` and then fails
 * with ShareUsedUpError, without having begun.
 */
export function createShares({ limit, waitMs }: { limit: number; waitMs: number }) {
  const shares = new Map<string, { places: BulkheadPolicy; users: number }>()

  return {
    async run<T>(key: string, use: () => Promise<T>): Promise<T> {
      const share = shares.get(key) ?? {
        places: bulkhead(limit, Number.POSITIVE_INFINITY),
        users: 0,
      }
      shares.set(key, share)
      share.users++
      const waiting = new AbortController()
      const { promise: late, reject } = Promise.withResolvers<never>()
      let begun = false
      const refuse = () => {
        if (begun) return
        waiting.abort()
        reject(new ShareUsedUpError())
      }
      // As for a deadline: what it waits for may have ended while this process was busy.
      const timer = setTimeout(setImmediate, waitMs, refuse)
      const begin = () => {
        begun = true
        clearTimeout(timer)
        return use()
      }
      try {
        return await Promise.race([share.places.execute(begin, waiting.signal), late])
      } finally {
        share.users--
        if (share.users === 0) shares.delete(key)
      }
    },
  }
}
