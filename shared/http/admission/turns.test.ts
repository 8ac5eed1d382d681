import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setImmediate as later } from 'node:timers/promises'
import { AppError } from '../../runtime/errors.ts'
import { createRequestTurns } from './turns.ts'

describe('turns of requests', () => {
  const client = () => new EventEmitter() as unknown as ServerResponse
  let refusals: number
  const refused = { inc: () => refusals++ }
  /** Who got a turn, in order. */
  let began: string[]

  beforeEach(() => {
    refusals = 0
    began = []
  })

  /** Asks for a turn, and notes when it begins. */
  function ask(turns: ReturnType<typeof createRequestTurns>, who: string, response = client()) {
    const turn = (async () => turns.take(who, response))().then((taken) => {
      began.push(who)
      return taken
    })
    turn.catch(() => undefined)
    return turn
  }

  const isRefused = (error: unknown) => error instanceof AppError && error.kind === 'unavailable'

  it('go round between clients, and in order of arrival within each', async () => {
    const turns = createRequestTurns({ maxAtOnce: 1, refused })
    const first = await ask(turns, 'greedy')
    const waiting = ['greedy', 'greedy', 'greedy', 'b', 'c', 'b'].map((who) =>
      ask(turns, who).then((turn) => turn[Symbol.dispose]()),
    )
    first[Symbol.dispose]()
    await Promise.all(waiting)

    assert.deepEqual(began.slice(1), ['greedy', 'b', 'c', 'greedy', 'b', 'greedy'])
  })

  it('leave a quarter of the places to other clients', async () => {
    const turns = createRequestTurns({ maxAtOnce: 4, refused })
    for (let i = 0; i < 10; i++) void ask(turns, 'greedy')
    await later()
    await ask(turns, 'other')

    assert.deepEqual(turns.counts(), { running: 4, waiting: 7 })
    assert.deepEqual(began, ['greedy', 'greedy', 'greedy', 'other'])
  })

  it('are refused beyond the limit, to a client alone its newest', async () => {
    const turns = createRequestTurns({ maxAtOnce: 1, maxInFlight: 3, refused })
    const [first, ...queue] = [1, 2, 3].map(() => ask(turns, 'a'))

    await assert.rejects(ask(turns, 'a'), isRefused)
    assert.equal(refusals, 1)
    ;(await first)?.[Symbol.dispose]()
    await queue[0]
  })

  it('make room for a client with a shorter queue: the longest loses its newest', async () => {
    const turns = createRequestTurns({ maxAtOnce: 1, maxInFlight: 4, refused })
    const [first, second, third, fourth] = [1, 2, 3, 4].map(() => ask(turns, 'greedy'))
    const stranger = ask(turns, 'stranger')

    await assert.rejects(fourth ?? Promise.resolve(), isRefused)
    ;(await first)?.[Symbol.dispose]()
    ;(await second)?.[Symbol.dispose]()
    await stranger
    assert.deepEqual(began, ['greedy', 'greedy', 'stranger'])
    assert.deepEqual(turns.counts(), { running: 1, waiting: 1 })
    void third
  })

  it('are not kept for a client that is gone', async () => {
    const turns = createRequestTurns({ maxAtOnce: 1, refused })
    const first = await ask(turns, 'a')
    const response = client()
    const gone = ask(turns, 'b', response)
    response.emit('close')
    await assert.rejects(gone)
    first[Symbol.dispose]()

    assert.deepEqual(turns.counts(), { running: 0, waiting: 0 })
  })

  it('are stuck when all are taken and none has ended for a while', async () => {
    const now = performance.now
    const turns = createRequestTurns({ maxAtOnce: 2, refused })
    try {
      const first = await ask(turns, 'a')
      await ask(turns, 'b')
      assert.equal(turns.stuck(), false)
      performance.now = () => now.call(performance) + 16_000
      assert.equal(turns.stuck(), true)
      first[Symbol.dispose]()

      assert.equal(turns.stuck(), false)
    } finally {
      performance.now = now
    }
  })
})
