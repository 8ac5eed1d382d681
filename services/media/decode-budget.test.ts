import assert from 'node:assert/strict'
import { createDecodeBudget } from './decode-budget.ts'

/** Takes room and notes who has it, in order. */
function takers(budget: ReturnType<typeof createDecodeBudget>) {
  const begun: string[] = []
  return {
    begun,
    take: (owner: string, bytes: number) =>
      budget.take(owner, bytes).then((room) => {
        begun.push(owner)
        return room
      }),
  }
}
const settled = () => new Promise(setImmediate)

describe('the budget of decoded bytes', () => {
  it('is never exceeded, and goes round in the order of arrival', async () => {
    const { begun, take } = takers(createDecodeBudget({ bytes: 100, waitMs: 10_000 }))

    const first = take('a', 60)
    const large = take('b', 90)
    const small = take('c', 30)
    await settled()
    assert.deepEqual(begun, ['a'])
    ;(await first)[Symbol.dispose]()
    await settled()
    assert.deepEqual(begun, ['a', 'b'])
    ;(await large)[Symbol.dispose]()
    await small
    assert.deepEqual(begun, ['a', 'b', 'c'])
  })

  it('gives one owner half of it at most, or one image', async () => {
    const { begun, take } = takers(createDecodeBudget({ bytes: 100, waitMs: 10_000 }))

    const greedy = [take('a', 30), take('a', 20), take('a', 10), take('a', 80)]
    const other = take('b', 40)
    await settled()
    assert.deepEqual(begun, ['a', 'a', 'b'])
    for (const room of [other, ...greedy.slice(0, 2)]) (await room)[Symbol.dispose]()
    await greedy[2]
    await settled()
    assert.deepEqual(begun, ['a', 'a', 'b', 'a'])
    ;(await greedy[2])?.[Symbol.dispose]()
    await greedy[3]
  })

  it('is waited for until a deadline, and a waiter that stops delays no other', async () => {
    const budget = createDecodeBudget({ bytes: 100, waitMs: 50 })
    const room = await budget.take('a', 60)

    const late = budget.take('b', 90)
    const small = budget.take('c', 30)

    await assert.rejects(late, /too many images are read here/)
    ;(await small)[Symbol.dispose]()
    room[Symbol.dispose]()
    assert.ok(await budget.take('b', 100))
  })
})
