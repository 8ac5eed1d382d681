import assert from 'node:assert/strict'
import { AppError } from '../../shared/runtime/errors.ts'
import { createWorkTurns } from './turns.ts'

/** Work that ends when it is told to, and the order in which it began. */
function createWork() {
  const begun: string[] = []
  const gates: PromiseWithResolvers<void>[] = []
  return {
    begun,
    work: (name: string) => async () => {
      begun.push(name)
      const gate = Promise.withResolvers<void>()
      gates.push(gate)
      await gate.promise
    },
    endOne: async () => {
      // What has its turn begins a few promises later.
      await new Promise(setImmediate)
      gates.shift()?.resolve()
    },
  }
}

const unavailable = (error: unknown) => error instanceof AppError && error.kind === 'unavailable'

describe('turns of costly work', () => {
  it('go round between clients: one that asks often delays another by one piece of work', async () => {
    const { take } = createWorkTurns({ concurrency: 1 })
    const { begun, work, endOne } = createWork()
    const all = [1, 2, 3, 4].map((n) => take('greedy', work(`greedy ${n}`)))
    all.push(take('stranger', work('stranger')))

    for (let i = 0; i < 5; i += 1) await endOne()
    await Promise.all(all)

    assert.deepEqual(begun, ['greedy 1', 'greedy 2', 'stranger', 'greedy 3', 'greedy 4'])
  })

  it('are refused to a client that has its share waiting, and not to others', async () => {
    const { take } = createWorkTurns({ concurrency: 1, maxWaitingPerClient: 2 })
    const { work, endOne } = createWork()
    const waiting = [1, 2, 3].map((n) => take('greedy', work(`greedy ${n}`)))

    await assert.rejects(take('greedy', work('greedy 4')), unavailable)
    waiting.push(take('stranger', work('stranger')))

    for (let i = 0; i < 4; i += 1) await endOne()
    await Promise.all(waiting)
  })

  it('are refused when too many wait in all', async () => {
    const { take } = createWorkTurns({ concurrency: 1, maxWaiting: 1 })
    const { work, endOne } = createWork()
    const waiting = ['a', 'b'].map((client) => take(client, work(client)))

    await assert.rejects(take('c', work('c')), unavailable)

    for (let i = 0; i < 2; i += 1) await endOne()
    await Promise.all(waiting)
  })

  it('go on after work that fails', async () => {
    const { take } = createWorkTurns({ concurrency: 1, maxWaiting: 1 })
    const failing = take('a', () => Promise.reject(new Error('failed')))
    const next = take('b', async () => 'done')

    await assert.rejects(failing, /failed/)
    assert.equal(await next, 'done')
  })
})
