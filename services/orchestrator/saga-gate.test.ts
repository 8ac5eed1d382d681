import assert from 'node:assert/strict'
import { createSagaGate } from './saga-gate.ts'

function setUp(limit: number) {
  let time = 0
  const gate = createSagaGate(limit, () => time)
  const entered: string[] = []
  return {
    gate,
    entered,
    enter: (id: string) => gate.enter(id).then(() => void entered.push(id)),
    pass: (ms: number) => {
      time += ms
    },
    /** Lets everybody go on who may. */
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

  it('frees nothing when someone leaves who is not inside', async () => {
    const { gate, enter, entered, settle } = setUp(1)
    for (const id of ['a', 'b']) void enter(id)
    gate.leave('x')
    gate.leave('b')
    await settle()
    assert.deepEqual(entered, ['a'])
  })

  it('lets everybody in, in the end and in turn', async () => {
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

  it('shows those out who are inside for so long that they must be parked', async () => {
    const { gate, enter, entered, settle, pass } = setUp(2)
    await enter('old')
    pass(119_999)
    await enter('young')
    void enter('next')
    await gate.letParkedLeave()
    await settle()
    assert.deepEqual(entered, ['old', 'young'])

    pass(1)
    await gate.letParkedLeave()
    await settle()
    assert.deepEqual(entered, ['old', 'young', 'next'])
  })

  it('counts the time from the last entrance', async () => {
    const { gate, enter, pass } = setUp(1)
    await enter('a')
    pass(119_999)
    await enter('a')
    pass(1)
    await gate.letParkedLeave()
    assert.equal(gate.size, 1)
  })
})
