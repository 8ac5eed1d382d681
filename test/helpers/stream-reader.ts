import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Purchase, PurchaseStep } from '../../shared/contracts/purchase.ts'

export type Told = { id: string; event: string; data: Partial<PurchaseStep & Purchase> }

export type StreamReader = {
  /** Every event, in the order in which it came. */
  told: Told[]
  /** The `Last-Event-ID` of each connection that was answered with a stream; undefined of the first. */
  opened: (string | undefined)[]
  /** Resolves after the event `end`. Rejects when the reader is refused for good, or gets no end in time. */
  done: Promise<void>
}

const pauseMs = 200
/** Longer than the time between two heartbeats. */
const silenceMs = 30_000

/** Whether a client is told to come again: the service is not there, is leaving, or has no place. */
const asksAgain = (status: number) => [429, 502, 503, 504].includes(status)

/** The events of a stream, as they come. Throws when the connection breaks. */
async function* eventsOf(body: AsyncIterable<Buffer>): AsyncGenerator<Told> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const piece of body) {
    const blocks = (text + decoder.decode(piece, { stream: true })).split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const [, id = '', event = '', data = ''] =
        /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(block) ?? []
      // A block without an event is a heartbeat.
      if (event) yield { id, event, data: JSON.parse(data) }
    }
  }
}

/** Clients that read event streams of purchases as a browser does: each comes again with the last id that it has. */
export function createStreamReaders(api: string, deadlineMs: number) {
  const dispatcher = new Agent({ headersTimeout: silenceMs, bodyTimeout: silenceMs })
  const ending = new AbortController()

  async function readToEnd(
    { told, opened }: Pick<StreamReader, 'told' | 'opened'>,
    path: string,
    token: string,
  ): Promise<void> {
    const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(deadlineMs)])

    /** The status of the answer, 200 after a stream that broke. */
    async function readOnce(): Promise<number> {
      const lastId = told.at(-1)?.id
      const { statusCode, body } = await request(`${api}/api/v1${path}`, {
        dispatcher,
        signal,
        headers: {
          authorization: `Bearer ${token}`,
          ...(lastId !== undefined && { 'last-event-id': lastId }),
        },
      })
      if (statusCode !== 200) {
        await body.dump()
        return statusCode
      }
      opened.push(lastId)
      for await (const event of eventsOf(body)) told.push(event)
      return statusCode
    }

    for (;;) {
      // 0: there was no answer, or the stream broke.
      const status = await readOnce().catch(() => 0)
      if (told.at(-1)?.event === 'end') return
      signal.throwIfAborted()
      if (status !== 0 && status !== 200 && !asksAgain(status)) {
        throw new Error(`${path} was answered ${status}`)
      }
      await sleep(pauseMs, undefined, { signal })
    }
  }

  return {
    read(purchaseId: string, token: string): StreamReader {
      const reader = { told: [], opened: [] }
      const done = readToEnd(reader, `/purchases/${purchaseId}/events`, token)
      // A test that waits for it gets the error.
      done.catch(() => undefined)
      return { ...reader, done }
    },

    async close(): Promise<void> {
      ending.abort()
      await dispatcher.destroy()
    },
  }
}
