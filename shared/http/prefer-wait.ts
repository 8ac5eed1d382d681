import type { Request, Response } from 'express'
import type { Metrics } from '../runtime/metrics.ts'
import { clientOf } from './admission/client.ts'
import { createPlaces } from './admission/places.ts'

/** Requests that wait for the end of what they began. One that finds no place does not wait. */
const maxWaits = 512
/** Shorter than Traefik waits for the head of an answer. */
const maxWaitSeconds = 30

/**
 * The answer when what a request began has ended, or undefined when it has not by the time that `signal` is aborted.
 */
export type AwaitEnd = (accepted: unknown, input: unknown, signal: AbortSignal) => Promise<unknown>

/**
 * `Prefer: wait=N` of RFC 7240 for requests that are answered 202: who waits holds no turn. A preference is a hint, so
 * what exceeds a bound, or ends early because the process drains, is answered 202 as it would be without it.
 */
export function createWaits(shed: Metrics['httpShed']) {
  const places = createPlaces({
    what: 'waiting requests',
    max: maxWaits,
    perClient: maxWaits / 16,
    refused: shed.labels('waits'),
  })
  const closing = new AbortController()

  function place(request: Request): Disposable | undefined {
    try {
      return places.take(clientOf(request))
    } catch {
      return undefined
    }
  }

  return {
    waiting: places.taken,

    /**
     * The end, if the client prefers to wait and it comes in time. Tells the client in the answer that it was waited
     * for.
     */
    async end(
      request: Request,
      response: Response,
      awaitEnd: (signal: AbortSignal) => Promise<unknown>,
    ): Promise<unknown> {
      const seconds = Math.min(preferredWait(request.headers.prefer), maxWaitSeconds)
      if (seconds === 0) return undefined
      using taken = place(request)
      if (!taken) return undefined
      response.set('Preference-Applied', `wait=${seconds}`)
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      const deadline = setTimeout(() => gone.abort(), seconds * 1_000)
      try {
        return await awaitEnd(AbortSignal.any([gone.signal, closing.signal]))
      } catch {
        // What was accepted stays accepted, also if its end cannot be read now.
        return undefined
      } finally {
        clearTimeout(deadline)
      }
    },

    /** Ends all waits, so that a process can drain. */
    close: () => closing.abort(),
  }
}

/** The seconds of `wait` in a Prefer header, 0 without one. */
function preferredWait(header: string | string[] | undefined): number {
  const preferences = [header ?? []].flat().join(',')
  const [, seconds = '0'] =
    /(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])/i.exec(preferences) ?? []
  return Number(seconds)
}
