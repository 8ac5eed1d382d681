import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createTurns } from './turns.ts'

/** Lets `turns` choose until nothing may start, and says what began. */
function startAll(turns: ReturnType<typeof createTurns<string>>): string[] {
  const begun: string[] = []
  for (let item = turns.startNext(); item; item = turns.startNext()) begun.push(item)
  return begun
}

describe('createTurns', () => {
  it('gives each client one turn in a round', () => {
    const turns = createTurns<string>({ limit: 5 })
    for (const item of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) turns.wait(item[0] ?? '', item)

    assert.deepEqual(startAll(turns), ['a1', 'b1', 'c1', 'a2', 'b2'])
  })

  it('prefers the client with the least running where that is asked for', () => {
    const turns = createTurns<string>({ limit: 5, first: 'fewest' })
    for (const client of ['a', 'a', 'b']) turns.start(client)
    for (const item of ['a3', 'b2', 'c1', 'c2']) turns.wait(item[0] ?? '', item)

    assert.deepEqual(startAll(turns), ['c1', 'b2'])
    turns.end('a')
    turns.end('a')
    assert.deepEqual(startAll(turns), ['a3', 'c2'])
  })

  it('keeps both limits and the order of each client, and leaves no place free that one may have', () => {
    const step = fc.record({ client: fc.constantFrom('a', 'b', 'c'), ends: fc.boolean() })
    const first = fc.constantFrom('round' as const, 'fewest' as const)
    fc.assert(
      fc.property(fc.array(step), first, (steps, order) => {
        const turns = createTurns<{ client: string; number: number }>({
          limit: 3,
          perClient: () => 2,
          first: order,
        })
        const running: string[] = []
        const last = new Map<string, number>()
        for (const [number, { client, ends }] of steps.entries()) {
          const ending = ends ? running.indexOf(client) : -1
          if (ending >= 0) {
            running.splice(ending, 1)
            turns.end(client)
          } else turns.wait(client, { client, number })
          for (let one = turns.startNext(); one; one = turns.startNext()) {
            assert.ok(one.number > (last.get(one.client) ?? -1))
            last.set(one.client, one.number)
            running.push(one.client)
          }
          for (const each of ['a', 'b', 'c']) {
            const own = running.filter((other) => other === each).length
            assert.ok(own <= 2 && running.length <= 3)
            assert.ok(turns.waitingOf(each) === 0 || own === 2 || running.length === 3)
          }
          assert.equal(turns.counts().running, running.length)
        }
      }),
    )
  })
})
