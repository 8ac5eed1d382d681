import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { createBatchedRead } from './batched-read.ts'

describe('a batched read', () => {
  /** A reader whose reads end when the test says so. */
  function reader() {
    const reads: { ids: string[]; answer: PromiseWithResolvers<Map<string, string>> }[] = []
    const read = createBatchedRead<string>((ids) => {
      const answer = Promise.withResolvers<Map<string, string>>()
      reads.push({ ids, answer })
      return answer.promise
    })
    const answer = (index: number, ...values: [string, string][]) =>
      reads[index]?.answer.resolve(new Map(values))
    return { read, reads, answer }
  }

  it('gives each caller the value of its id, and undefined when there is none', async () => {
    const { read, answer } = reader()
    const found = read('a')
    const missing = read('b')
    await turn()
    answer(0, ['a', '1'])

    assert.equal(await found, '1')
    assert.equal(await missing, undefined)
  })

  it('never answers with a value that is older than the question', async () => {
    const { read, reads, answer } = reader()
    const before = read('a')
    await turn()
    const after = read('a')
    answer(0, ['a', 'old'])
    await before
    await turn()
    answer(1, ['a', 'new'])

    assert.equal(await before, 'old')
    assert.equal(await after, 'new')
    assert.equal(reads.length, 2)
  })

  it('asks one read at a time, and for each id once', async () => {
    const { read, reads, answer } = reader()
    const first = read('a')
    await turn()
    const others = ['b', 'c', 'b'].map(read)
    await turn()
    assert.equal(reads.length, 1)
    answer(0)
    await first
    await turn()
    answer(1, ['b', '2'], ['c', '3'])

    assert.deepEqual(await Promise.all(others), ['2', '3', '2'])
    assert.deepEqual(reads[1]?.ids, ['b', 'c'])
  })

  it('waits for more ids when it may linger', async () => {
    const reads: string[][] = []
    const read = createBatchedRead<string>(
      async (ids) => {
        reads.push(ids)
        return new Map(ids.map((id) => [id, id]))
      },
      { lingerMs: 250 },
    )
    const first = read('a')
    await turn()
    const second = read('b')

    assert.deepEqual(await Promise.all([first, second]), ['a', 'b'])
    assert.deepEqual(reads, [['a', 'b']])
  })

  it('reads 100 ids at most at once, and the others one read after the other', async () => {
    const { read, reads, answer } = reader()
    const all = Promise.all(Array.from({ length: 250 }, (_, id) => read(String(id))))
    const sizes: number[] = []
    for (let index = 0; index < 3; index++) {
      await turn()
      assert.equal(reads.length, index + 1)
      sizes.push(reads[index]?.ids.length ?? 0)
      answer(index)
    }
    await all

    assert.deepEqual(sizes, [100, 100, 50])
  })

  it('fails for those whose read failed, and reads again for the next', async () => {
    const { read, reads, answer } = reader()
    const failed = read('a')
    await turn()
    const next = read('a')
    reads[0]?.answer.reject(new Error('unavailable'))
    await assert.rejects(failed, /unavailable/)
    await turn()
    answer(1, ['a', '1'])

    assert.equal(await next, '1')
  })
})
