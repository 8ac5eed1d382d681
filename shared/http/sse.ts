import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Metrics } from '../runtime/metrics.ts'
import { createPlaces } from './admission/places.ts'

/** One server-sent event. A client that comes again sends the last `id` that it got as `Last-Event-ID`. */
export type ServerEvent<T> = { id: number | string; event: string; data: T }

/** Null: there are no more events, and the client may stop asking. */
export type EventStream<T> = AsyncIterable<ServerEvent<T>> | null

export type EventStreamLimits = {
  /** Open at once in this process; the next is answered 503. */
  max: number
  /** Of one customer; the next is answered 429. By default as many as in all. */
  perClient?: number
  /** After this long a stream is ended, and its client comes again. */
  deadlineMs: number
}

/** Shorter than what proxies let pass without a byte. */
const heartbeatMs = 15_000

type Streamed = {
  request: Pick<IncomingMessage, 'method'>
  response: ServerResponse
  /** Whose share the stream counts for. */
  client: string
  parse: (data: unknown) => unknown
  /** `signal` is aborted when the client no longer needs the stream. */
  connect: (signal: AbortSignal) => Promise<EventStream<unknown>>
}

/** Writes streams of server-sent events. `close` ends all that are open, so that a process can drain. */
export function createEventStreams(
  { max, perClient = max, deadlineMs }: EventStreamLimits = { max: 0, deadlineMs: 1 },
  shed: Metrics['httpShed'],
) {
  const places = createPlaces({
    what: 'event streams',
    max,
    perClient,
    refused: shed.labels('streams'),
  })
  const closing = new AbortController()

  /** Answers with the stream that `connect` gives, or to HEAD with its headers alone. */
  async function answer({ request, response, client, parse, connect }: Streamed): Promise<void> {
    using _place = places.take(client)
    const gone = new AbortController()
    if (request.method === 'HEAD') {
      gone.abort()
      writeHead(response, await connect(gone.signal)).end()
      return
    }
    response.once('close', () => gone.abort())
    const deadline = setTimeout(() => gone.abort(), deadlineMs)
    const heartbeat = setInterval(
      () => response.headersSent && response.write(':\n\n'),
      heartbeatMs,
    )
    try {
      const events = await connect(AbortSignal.any([gone.signal, closing.signal]))
      writeHead(response, events).flushHeaders()
      for await (const { id, event, data } of events ?? []) {
        response.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(parse(data))}\n\n`)
      }
      response.end()
    } finally {
      clearTimeout(deadline)
      clearInterval(heartbeat)
    }
  }

  return { answer, open: places.taken, close: () => closing.abort() }
}

function writeHead(response: ServerResponse, events: EventStream<unknown>): ServerResponse {
  if (events === null) return response.writeHead(204)
  return response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
  })
}
