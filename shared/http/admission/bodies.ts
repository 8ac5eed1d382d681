import { finished } from 'node:stream'
import express, { type Request, type Response } from 'express'
import { AppError } from '../../runtime/errors.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { createPlaces } from './places.ts'
import { type RateFloor, ruleOf, watchRate } from './rate-floor.ts'

const bodyLimitBytes = 100 * 1024
/** A client must have sent all of a body by then, and keep to the floor meanwhile. */
const deadlineMs = 15_000
const defaultRateFloor = { graceMs: 3_000, bytesPerSecond: 1_000 }
/** Bodies that arrive at once in a replica, and what they may hold in memory; one client may take half of either. */
const maxBodies = 1_024
const maxBytes = 16 * 1024 * 1024
/** How long a client may go on sending after it has its answer. */
const unreadDeadlineMs = 5_000

function hasBody({ headers }: Pick<Request, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * Reads JSON bodies, before their requests take a turn, so a slow client delays no other. Throws AppErrors:
 * another content type, too large, too slow, or too many bodies of a client or in all.
 */
export function createBodyReader(
  { httpShed }: Pick<Metrics, 'httpShed'>,
  rateFloor: RateFloor = defaultRateFloor,
) {
  const bodies = createPlaces({
    what: 'request bodies',
    max: maxBodies,
    perClient: maxBodies / 2,
    refused: httpShed.labels('bodies'),
  })
  const bytes = createPlaces({
    what: 'bytes of request bodies',
    max: maxBytes,
    perClient: maxBytes / 2,
    refused: httpShed.labels('body_bytes'),
  })
  const parse = express.json({ limit: bodyLimitBytes, strict: true, type: () => true })
  const keep = express.raw({ limit: bodyLimitBytes, type: () => true })

  return {
    arriving: bodies.taken,

    /** `raw`: leaves the bytes as they came. */
    async read(request: Request, response: Response, client: string, raw = false): Promise<void> {
      if (!hasBody(request)) return
      if (!request.is('json')) {
        throw new AppError('unsupported_media_type', 'the body must be application/json')
      }
      const size = Number(request.headers['content-length'] ?? bodyLimitBytes)
      if (size > bodyLimitBytes) {
        throw new AppError('too_large', `the limit is ${bodyLimitBytes} bytes`)
      }
      using _body = bodies.take(client)
      using _bytes = bytes.take(client, size)
      const reader = raw ? keep : parse
      await inTime(request, rateFloor, () => promise((next) => reader(request, response, next)))
    },
  }
}

function promise(call: (next: (error?: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error ? reject(error) : resolve()))
  })
}

/** Throws AppError('request_timeout') when the body is late, or slower than the floor. */
async function inTime(
  request: Request,
  rateFloor: RateFloor,
  read: () => Promise<void>,
): Promise<void> {
  const late = Promise.withResolvers<never>()
  const refuse = () => {
    const rule = `${ruleOf(rateFloor)}, ${deadlineMs / 1_000} s in all`
    late.reject(new AppError('request_timeout', `the body came too slowly: ${rule}`))
  }
  const reading = read()
  using _watch = watchRate(request, rateFloor, refuse)
  const deadline = setTimeout(refuse, deadlineMs)
  try {
    await Promise.race([reading, late.promise])
  } finally {
    clearTimeout(deadline)
  }
}

/** Cuts off a client that has its answer and still sends: its connection would be kept for as long as it likes. */
export function cutUnreadBody(request: Request, response: Response): void {
  if (!hasBody(request)) return
  response.once('finish', () => {
    if (request.complete) return
    const timer = setTimeout(() => request.socket.destroy(), unreadDeadlineMs)
    finished(request, () => clearTimeout(timer))
  })
}
