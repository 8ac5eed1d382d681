import type { ServerResponse } from 'node:http'
import type { Counter } from 'prom-client'
import { AppError } from '../../runtime/errors.ts'
import { createTurns } from '../../runtime/turns.ts'

export type TurnLimits = {
  /** How many requests may wait or be handled at once. No limit by default. */
  maxInFlight?: number
  /** How many of them are handled side by side; the others wait for their turn. */
  maxAtOnce?: number
  /** How long all turns may be taken without one ending before nothing counts as getting through. */
  stuckMs?: number
}

type Waiting = { begin(): void; refuse(): void }

/** More handlers side by side make none of them faster; calls to neighbours would run into their deadlines. */
const defaultAtOnce = 64
const waitDeadlineMs = 30_000
/** Longer than any handler waits for what it asks. */
const defaultStuckMs = 15_000

/**
 * Gives requests their turn. Turns go round between clients, in the order of arrival within each. A client gets three
 * quarters of the turns at most. When all places are taken, the client with the longest queue loses its newest request
 * to a client with a shorter one: so a client may use idle places, and never keeps another out.
 */
export function createRequestTurns({
  maxInFlight = Number.POSITIVE_INFINITY,
  maxAtOnce = defaultAtOnce,
  stuckMs = defaultStuckMs,
  refused,
}: TurnLimits & { refused: Pick<Counter.Internal, 'inc'> }) {
  const turns = createTurns<Waiting>({
    limit: maxAtOnce,
    perClient: () => Math.ceil((maxAtOnce * 3) / 4),
  })
  let progressAt = performance.now()

  /** The turn of a request that counts as running. */
  function begin(client: string): Disposable {
    // A turn that fills the house starts the clock.
    if (turns.counts().running === maxAtOnce) progressAt = performance.now()
    return {
      [Symbol.dispose]() {
        progressAt = performance.now()
        turns.end(client)
        turns.startNext()?.begin()
      },
    }
  }

  function refusal(): AppError {
    refused.inc()
    return new AppError('unavailable', 'too many requests are under way here; try again')
  }

  /** Makes room for a client by refusing the newest request of the longest queue; false if that is its own. */
  function makeRoomFor(client: string): boolean {
    const longest = turns.newestOfLongest()
    if (!longest || longest.length <= turns.waitingOf(client) + 1) return false
    longest.item.refuse()
    return true
  }

  function wait(client: string, response: ServerResponse): Promise<Disposable> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(deadline)
        response.off('close', gone)
        turns.remove(client, one)
      }
      const one: Waiting = {
        begin() {
          leave()
          resolve(begin(client))
        },
        refuse() {
          leave()
          reject(refusal())
        },
      }
      const gone = () => {
        leave()
        reject(new AppError('unavailable', 'the client did not wait'))
      }
      const deadline = setTimeout(one.refuse, waitDeadlineMs)
      response.once('close', gone)
      turns.wait(client, one)
    })
  }

  return {
    counts: turns.counts,

    /** All turns are taken, and none has ended for a while: nothing gets through. */
    stuck: () => turns.counts().running >= maxAtOnce && performance.now() - progressAt > stuckMs,

    /**
     * A turn, until it is disposed of. Throws AppError('unavailable') when there is no room, or no turn within 30 s;
     * `response` tells that the client is gone.
     */
    take(client: string, response: ServerResponse): Disposable | Promise<Disposable> {
      const { running, waiting } = turns.counts()
      if (running + waiting >= maxInFlight && !makeRoomFor(client)) throw refusal()
      if (!turns.mayStart(client)) return wait(client, response)
      turns.start(client)
      return begin(client)
    },
  }
}
