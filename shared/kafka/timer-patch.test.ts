import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import './timer-patch.ts'

type RequestQueue = {
  maybeThrottle(ms: number): void
  push(request: {
    entry: { correlationId: number; resolve(): void; reject(): void }
    expectResponse: boolean
    sendRequest(): void
  }): void
  destroy(): void
}

/** What kafkajs keeps the requests of one connection in. */
function createRequestQueue(): RequestQueue {
  const Queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue')
  return new Queue({ logger: { debug() {} }, maxInFlightRequests: null, requestTimeout: 1_000 })
}

/** Longer than any pause of a busy machine. */
const lateMs = 30_000

describe('a request that the broker has held back', () => {
  it('goes out, also when that was for so short a time that it is over at the next look', async () => {
    const now = Date.now
    const from = now()
    let ms = 0
    const queue = createRequestQueue()
    // A clock that goes on with every look.
    Date.now = () => from + ms++
    try {
      for (let throttledMs = 1; throttledMs <= 10; throttledMs += 1) {
        const sent = Promise.withResolvers<void>()
        queue.maybeThrottle(throttledMs)
        queue.push({
          entry: { correlationId: throttledMs, resolve() {}, reject() {} },
          expectResponse: false,
          sendRequest: sent.resolve,
        })
        const late = sleep(lateMs, 'late', { ref: false })
        assert.notEqual(await Promise.race([sent.promise, late]), 'late', `${throttledMs} ms`)
      }
    } finally {
      Date.now = now
      queue.destroy()
    }
  })
})
