import type { ServerResponse } from 'node:http'
import { AppError } from './errors.ts'
import type { Lobby } from './lobby.ts'
import type { Metrics } from './metrics.ts'
import { apiPrefix, type Routes } from './route.ts'

export type LoadLimits = {
  /** How many requests may be under way at once; what comes above it is answered 503. No limit by default. */
  maxInFlight?: number
  /** How many of them are handled side by side; the others wait for their turn. */
  maxAtOnce?: number
}

type Options = LoadLimits & {
  routes: Routes
  metrics: Pick<Metrics, 'httpShed'>
  lobby: Lobby
}

/** More handlers side by side make none of them faster; calls to neighbours would run into their deadlines. */
const defaultAtOnce = 64
/** Whoever has waited so long is not asked to wait on. */
const turnDeadlineMs = 30_000

/**
 * Gives requests their turn, in the order in which they came, and refuses what would wait too long. It comes before
 * logging and parsing, so that saying no is cheap. Health and metrics are mounted before it; uploads and event streams
 * are long and have limits of their own.
 */
export function shedLoad({
  routes,
  metrics,
  lobby,
  maxInFlight = Number.POSITIVE_INFINITY,
  maxAtOnce = defaultAtOnce,
}: Options) {
  const long = Object.values(routes)
    .filter(({ multipart, stream }) => multipart || stream)
    .map(({ path }) => new RegExp(`^${apiPrefix}${path.replaceAll(/:\w+/g, '[^/]+')}$`))
  const waiting = new Set<() => void>()
  let inFlight = 0
  let running = 0

  function refusal(): AppError {
    metrics.httpShed.inc()
    return new AppError('unavailable', 'too many requests are under way here; try again')
  }

  return (request: { path: string }, response: ServerResponse, next: (error?: unknown) => void) => {
    if (long.some((path) => path.test(request.path))) {
      next()
      return
    }
    if (inFlight >= maxInFlight) throw refusal()
    inFlight += 1
    let begun = false
    let tooLate: NodeJS.Timeout | undefined
    const leaveQueue = () => {
      clearTimeout(tooLate)
      waiting.delete(begin)
    }
    const begin = () => {
      leaveQueue()
      begun = true
      running += 1
      lobby.enter(next)
    }
    response.once('close', () => {
      inFlight -= 1
      leaveQueue()
      if (!begun) return
      running -= 1
      const [first] = waiting
      first?.()
    })
    if (running < maxAtOnce) {
      begin()
      return
    }
    waiting.add(begin)
    tooLate = setTimeout(() => {
      leaveQueue()
      next(refusal())
    }, turnDeadlineMs)
  }
}
