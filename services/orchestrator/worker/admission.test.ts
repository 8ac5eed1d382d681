import assert from 'node:assert/strict'
import { createSagaGate } from './admission.ts'

function setUp(limit: number) {
  let time = 0
  const gate = createSagaGate(limit, () => time)
  const entered: string[] = []
  return {
    gate,
    entered,
    enter: (id: string, customer = id) =>
      gate.enter(id, customer).then(() => void entered.push(id)),
    pass: (ms: number) => {
      time += ms
    },
    /** Lets every purchase enter that may. */
    settle: () => new Promise(setImmediate),
  }
}

describe('createSagaGate', () => {
  it('lets in as many as its limit, and one more for each that leaves', async () => {
    const { gate, enter, entered, settle } = setUp(2)
    for (const id of ['a', 'b', 'c', 'd']) void enter(id)
    await settle()
    assert.deepEqual(entered, ['a', 'b'])

    gate.leave('b')
    await settle()
    assert.deepEqual(entered, ['a', 'b', 'c'])
    assert.equal(gate.size, 2)
  })

  it('gives a purchase one place, however often it enters', async () => {
    const { gate, enter, entered, settle } = setUp(2)
    await enter('a')
    await enter('a')
    await enter('b')
    await enter('a')
    assert.equal(gate.size, 2)

    gate.leave('a')
    void enter('c')
    await settle()
    assert.deepEqual(entered, ['a', 'a', 'b', 'a', 'c'])
  })

  it('frees nothing when a purchase leaves that has no place', async () => {
    const { gate, enter, entered, settle } = setUp(1)
    for (const id of ['a', 'b']) void enter(id)
    gate.leave('x')
    gate.leave('b')
    await settle()
    assert.deepEqual(entered, ['a'])
  })

  it('admits every purchase in the end, in turn', async () => {
    const { gate, enter, entered, settle } = setUp(1)
    const ids = ['a', 'b', 'c', 'd']
    for (const id of ids) void enter(id)
    for (const id of ids) {
      await settle()
      gate.leave(id)
    }
    assert.deepEqual(entered, ids)
    assert.equal(gate.size, 0)
  })

  it('takes turns between customers, in whatever order they came', async () => {
    const { gate, enter, entered, settle } = setUp(3)
    for (const id of ['a1', 'a2', 'a3', 'b1', 'b2']) void enter(id, id[0])
    await settle()
    for (const id of ['c1', 'c2']) void enter(id, id[0])
    await settle()
    assert.deepEqual(entered, ['a1', 'a2', 'b1'])

    gate.leave('a1')
    gate.leave('a2')
    await settle()
    assert.deepEqual(entered.slice(3), ['c1', 'a3'])
  })

  it("leaves room for others while one customer's sagas do not end", async () => {
    const { enter, entered, settle } = setUp(9)
    for (let index = 0; index < 20; index++) void enter(`slow ${index}`, 'slow')
    await settle()
    assert.equal(entered.length, 6)

    await enter('stranger', 'stranger')
    assert.equal(entered.at(-1), 'stranger')
  })

  it('gives a customer who buys alone two thirds, and a sixth as soon as another one buys', async () => {
    const { gate, enter, entered, settle, pass } = setUp(24)
    for (let index = 0; index < 40; index++) void enter(`greedy ${index}`, 'greedy')
    await settle()
    assert.equal(entered.length, 16)

    await enter('stranger', 'stranger')
    for (let index = 0; index < 13; index++) gate.leave(`greedy ${index}`)
    await settle()
    const greedy = () => entered.filter((id) => id.startsWith('greedy')).length
    assert.equal(greedy(), 17)

    pass(10_001)
    void enter('greedy 40', 'greedy')
    await settle()
    assert.equal(greedy(), 29)
  })

  it('leaves every customer who buys as much as keeps a machine busy', async () => {
    const { enter, entered, settle } = setUp(24)
    for (let index = 0; index < 12; index++) await enter(`${index}`)
    for (let index = 0; index < 9; index++) void enter(`greedy ${index}`, 'greedy')
    await settle()
    assert.equal(entered.filter((id) => id.startsWith('greedy')).length, 4)
  })

  it('evicts purchases that have been admitted for so long that they are stale', async () => {
    const { gate, enter, entered, settle, pass } = setUp(2)
    await enter('old')
    pass(119_999)
    await enter('young')
    void enter('next')
    await gate.evictStale()
    await settle()
    assert.deepEqual(entered, ['old', 'young'])

    pass(1)
    await gate.evictStale()
    await settle()
    assert.deepEqual(entered, ['old', 'young', 'next'])
  })

  it('counts the time from the last entrance', async () => {
    const { gate, enter, pass } = setUp(1)
    await enter('a')
    pass(119_999)
    await enter('a')
    pass(1)
    await gate.evictStale()
    assert.equal(gate.size, 1)
  })
})
