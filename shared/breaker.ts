import type { Counter } from 'prom-client'

/** What a breaker throws instead of asking again something that did not answer just now. */
export class NotAskedError extends Error {
  override name = 'NotAskedError'
}

export class DeadlineError extends Error {
  override name = 'DeadlineError'
}

export type Breaker = ReturnType<typeof createBreaker>

/**
 * Stands before something that may be away. A use gets `deadlineMs`; after `failuresToRest` in a row that failed
 * nothing is asked for `restMs`, then one use tries whether it is back. So what is away costs a short wait or a few,
 * and then nothing.
 */
export function createBreaker({
  deadlineMs = 150,
  restMs = 500,
  failuresToRest = 1,
  failures,
}: {
  deadlineMs?: number
  restMs?: number
  failuresToRest?: number
  /** Counts the failed uses; those that were not tried are not among them. */
  failures?: Pick<Counter.Internal, 'inc'>
} = {}) {
  let restUntil = 0
  let away = false
  let probing = false
  let failedInARow = 0

  return {
    async run<T>(use: () => Promise<T>, withinMs = deadlineMs): Promise<T> {
      if (away && (probing || performance.now() < restUntil)) throw new NotAskedError()
      const probe = away
      probing ||= probe
      try {
        const result = await within(withinMs, use)
        away = false
        failedInARow = 0
        return result
      } catch (error) {
        failures?.inc()
        failedInARow += 1
        if (failedInARow >= failuresToRest) {
          away = true
          restUntil = performance.now() + restMs
        }
        throw error
      } finally {
        if (probe) probing = false
      }
    },
  }
}

async function within<T>(ms: number, use: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const expire = () => late.reject(new DeadlineError(`no answer in ${ms} ms`))
  // An answer that waits in the socket because this process was busy still counts: it is read before the immediate.
  const timer = setTimeout(setImmediate, ms, expire)
  try {
    return await Promise.race([use(), late.promise])
  } finally {
    clearTimeout(timer)
  }
}
