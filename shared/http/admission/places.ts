import type { Counter } from 'prom-client'
import { AppError } from '../../runtime/errors.ts'

/**
 * A bounded supply of something that requests hold for a while: bodies that arrive, their bytes, event streams,
 * uploads. A client may hold `perClient` of it at most, so that it cannot take what all others need.
 */
export function createPlaces({
  what,
  max,
  perClient = max,
  refused,
}: {
  /** For the answer: "too many <what> are under way here". */
  what: string
  max: number
  perClient?: number
  /** Counts the refusals. */
  refused?: Pick<Counter.Internal, 'inc'>
}) {
  const held = new Map<string, number>()
  let taken = 0

  function refuse(kind: 'unavailable' | 'too_many_requests', whose: string): never {
    refused?.inc()
    throw new AppError(kind, `too many ${what} ${whose}; try again`, {
      retryAfterSeconds: 1,
    })
  }

  return {
    taken: () => taken,

    /**
     * Takes `size` places for a client until the result is disposed of. Throws AppError('too_many_requests') when the
     * client holds its share, AppError('unavailable') when all are taken.
     */
    take(client: string, size = 1): Disposable {
      const own = (held.get(client) ?? 0) + size
      if (taken + size > max) refuse('unavailable', 'are under way here')
      if (own > perClient) refuse('too_many_requests', 'of yours are under way')
      held.set(client, own)
      taken += size
      let free = false
      return {
        [Symbol.dispose]() {
          if (free) return
          free = true
          taken -= size
          const left = (held.get(client) ?? 0) - size
          if (left > 0) held.set(client, left)
          else held.delete(client)
        },
      }
    },
  }
}
