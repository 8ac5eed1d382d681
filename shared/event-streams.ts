import type { ServerResponse } from 'node:http'
import { AppError } from './errors.ts'

/** One server-sent event. A client that comes again sends the last `id` that it got as `Last-Event-ID`. */
export type ServerEvent<T> = { id: number; event: string; data: T }

/** Null: there is nothing more to tell, and the client may stop asking. */
export type EventStream<T> = AsyncIterable<ServerEvent<T>> | null

export type EventStreamLimits = {
  /** Open at once in this process; the next is answered 503. */
  max: number
  /** After this long a stream is ended, and its client comes again. */
  deadlineMs: number
}

/** Shorter than what proxies let pass without a byte. */
const heartbeatMs = 15_000

/** Writes streams of server-sent events. `close` ends all that are open, so that a process can drain. */
export function createEventStreams(
  { max, deadlineMs }: EventStreamLimits = { max: 0, deadlineMs: 1 },
) {
  const closing = new AbortController()
  let open = 0

  /** Answers with the stream that `connect` gives; `signal` is aborted when nobody wants it any more. */
  async function answer(
    response: ServerResponse,
    parse: (data: unknown) => unknown,
    connect: (signal: AbortSignal) => Promise<EventStream<unknown>>,
  ): Promise<void> {
    if (open >= max || closing.signal.aborted) {
      throw new AppError('unavailable', 'too many streams are open; try again')
    }
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const deadline = setTimeout(() => gone.abort(), deadlineMs)
    const heartbeat = setInterval(
      () => response.headersSent && response.write(':\n\n'),
      heartbeatMs,
    )
    open += 1
    try {
      const events = await connect(AbortSignal.any([gone.signal, closing.signal]))
      if (events === null) {
        response.writeHead(204).end()
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      response.flushHeaders()
      for await (const { id, event, data } of events) {
        response.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(parse(data))}\n\n`)
      }
      response.end()
    } finally {
      open -= 1
      clearTimeout(deadline)
      clearInterval(heartbeat)
    }
  }

  return { answer, close: () => closing.abort() }
}
