import assert from 'node:assert/strict'
import { createKeyedQueue } from './keyed-queue.ts'

/** A queue whose tasks end when they are told to. */
function setUp(concurrency: number) {
  const queue = createKeyedQueue(concurrency)
  const running: string[] = []
  const ended: string[] = []
  const gates = new Map<string, PromiseWithResolvers<void>>()

  return {
    queue,
    running,
    ended,
    add(key: string, name: string) {
      const gate = Promise.withResolvers<void>()
      gates.set(name, gate)
      queue.add(key, async () => {
        running.push(name)
        await gate.promise
        running.splice(running.indexOf(name), 1)
        ended.push(name)
      })
    },
    async end(name: string) {
      const changed = queue.changed()
      gates.get(name)?.resolve()
      await changed
    },
  }
}

describe('createKeyedQueue', () => {
  it('runs tasks of different keys side by side and those of one key in turn', async () => {
    const { add, end, running, ended } = setUp(4)
    for (const name of ['a1', 'a2', 'b1', 'a3', 'b2']) add(name.slice(0, 1), name)
    assert.deepEqual(running, ['a1', 'b1'])

    await end('b1')
    assert.deepEqual(running, ['a1', 'b2'])
    for (const name of ['a1', 'a2', 'a3', 'b2']) await end(name)
    assert.deepEqual(ended, ['b1', 'a1', 'a2', 'a3', 'b2'])
  })

  it('runs no more than its concurrency at once', async () => {
    const { add, end, running } = setUp(2)
    for (const name of ['a', 'b', 'c', 'd']) add(name, name)
    assert.deepEqual(running, ['a', 'b'])

    await end('b')
    assert.deepEqual(running, ['a', 'c'])
    await end('a')
    await end('c')
    assert.deepEqual(running, ['d'])
  })

  it('gives every key its turn, however many tasks one of them has', async () => {
    const { add, end, running } = setUp(1)
    for (const name of ['a1', 'a2', 'a3', 'b1']) add(name.slice(0, 1), name)
    await end('a1')
    assert.deepEqual(running, ['b1'])
  })

  it('is full at twice its concurrency, and says when that changes', async () => {
    const { add, end, queue } = setUp(2)
    for (const name of ['a', 'b', 'c']) add(name, name)
    assert.deepEqual([queue.full, queue.size], [false, 3])
    add('d', 'd')
    assert.deepEqual([queue.full, queue.size], [true, 4])

    await end('a')
    assert.deepEqual([queue.full, queue.size], [false, 3])
    for (const name of ['b', 'c', 'd']) await end(name)
    assert.equal(queue.size, 0)
  })

  it('wakes every caller that waits for a change', async () => {
    const { add, end, queue } = setUp(1)
    add('a', 'a')
    let woken = 0
    const waiting = [queue.changed(), queue.changed()].map((change) => change.then(() => woken++))
    assert.equal(woken, 0)
    await end('a')
    await Promise.all(waiting)
    assert.equal(woken, 2)
  })

  it('takes a key up again after its lane ran empty', async () => {
    const { add, end, running } = setUp(2)
    add('a', 'a1')
    await end('a1')
    add('a', 'a2')
    assert.deepEqual(running, ['a2'])
  })

  it('is full of few tasks that hold much', async () => {
    const queue = createKeyedQueue(4, 1_000)
    const gate = Promise.withResolvers<void>()
    queue.add('a', () => gate.promise, 600)
    assert.equal(queue.full, false)
    queue.add('b', () => gate.promise, 600)
    assert.equal(queue.full, true)

    gate.resolve()
    while (queue.size > 0) await queue.changed()
    assert.equal(queue.full, false)
  })
})
