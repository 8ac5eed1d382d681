import assert from 'node:assert/strict'
import { AppError } from '../runtime/errors.ts'
import { createBatchedWrite } from './batched-write.ts'

describe('a batched write', () => {
  /** Notes each batch, and holds the first one until it is let go. */
  function notedWrites(fail: (items: number[]) => Error | undefined = () => undefined) {
    const batches: number[][] = []
    const gate = Promise.withResolvers<void>()
    const write = createBatchedWrite(async (items: number[]) => {
      batches.push(items)
      if (batches.length === 1) await gate.promise
      const error = fail(items)
      if (error) throw error
      return items.map((item) => item * 10)
    })
    return { batches, write, letGo: gate.resolve }
  }

  it('includes items that came during the last write, and gives each its result', async () => {
    const { batches, write, letGo } = notedWrites()

    const answers = [1, 2, 3].map(write)
    letGo()

    assert.deepEqual(await Promise.all(answers), [10, 20, 30])
    assert.deepEqual(batches, [[1], [2, 3]])
  })

  it('writes a bounded number of items at a time', async () => {
    const { batches, write, letGo } = notedWrites()

    const answers = Array.from({ length: 402 }, (_, index) => write(index))
    letGo()
    await Promise.all(answers)

    assert.deepEqual(
      batches.map(({ length }) => length),
      [1, 200, 200, 1],
    )
  })

  it('writes a bounded number of bytes at a time, and a larger item alone', async () => {
    const batches: number[][] = []
    const write = createBatchedWrite(
      async (items: number[]) => {
        batches.push(items)
        return items
      },
      { bytesOf: (megabytes) => megabytes * 1_048_576 },
    )

    await Promise.all([1, 1, 1, 5, 1].map(write))

    assert.deepEqual(batches, [[1], [1, 1], [5], [1]])
  })

  it('fails for a bad item only, and writes the others', async () => {
    const { write, letGo } = notedWrites((items) =>
      items.includes(2) ? new Error('bad in words that nobody knows') : undefined,
    )

    const answers = [1, 2, 3].map(write)
    letGo()

    const settled = await Promise.allSettled(answers)
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
  })

  it('fails as a whole during an outage, and tries only once', async () => {
    const { batches, write, letGo } = notedWrites((items) =>
      items.includes(2) ? new AppError('unavailable', 'the database is unavailable') : undefined,
    )

    const answers = [1, 2, 3].map(write)
    letGo()

    const settled = await Promise.allSettled(answers)
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected'],
    )
    assert.equal(batches.length, 2)
    assert.equal(await write(4), 40)
  })

  it('waits for more items if lingerMs is set', async () => {
    const batches: number[][] = []
    const write = createBatchedWrite(
      async (items: number[]) => {
        batches.push(items)
        return items
      },
      { lingerMs: 20 },
    )

    const first = write(1)
    await Promise.resolve()
    await Promise.all([first, write(2)])

    assert.deepEqual(batches, [[1, 2]])
  })
})
