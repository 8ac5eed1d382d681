import assert from 'node:assert/strict'
import { allCompleted, purchaseFigures } from './figures.ts'
import type { Post } from './load.ts'

const start = Date.UTC(2026, 0, 1)

/** Posted at a moment, answered after 20 ms. */
const post = (id: string | undefined, at: number): Post => ({
  sentAt: start + at,
  ms: 20,
  status: id ? '202' : '503',
  purchaseId: id,
})

const row = (id: string, status: string, at: number) =>
  [id, { id, status, updated_at: new Date(start + at) }] as const

describe('the figures of a phase', () => {
  it('count the end from the POST, and the rate from the first POST to the last end', () => {
    const rows = new Map([row('a', 'COMPLETED', 100), row('b', 'COMPLETED', 2_000)])
    const figures = purchaseFigures([post('a', 0), post('b', 500)], rows)

    assert.equal(figures.completedPerSecond, 1)
    assert.equal(figures.toTerminal.p50, 100)
    assert.equal(figures.toTerminal.max, 1_500)
    assert.ok(allCompleted(figures))
  })

  it('count what was not completed in no rate', () => {
    const rows = new Map([row('a', 'COMPLETED', 1_000), row('b', 'REJECTED', 1_000)])
    const figures = purchaseFigures([post('a', 0), post('b', 0), post(undefined, 0)], rows)

    assert.equal(figures.completedPerSecond, 1)
    assert.deepEqual(figures.answers, { 202: 2, 503: 1 })
    assert.ok(!allCompleted(figures))
  })

  it('name what was answered 202 and is nowhere', () => {
    const figures = purchaseFigures(
      [post('a', 0), post('b', 0)],
      new Map([row('a', 'ACCEPTED', 0)]),
    )

    assert.deepEqual(figures.lost, ['b'])
    assert.equal(figures.completedPerSecond, 0)
  })

  it('have a line for every second, also where nothing ended', () => {
    const rows = new Map([row('a', 'COMPLETED', 100), row('b', 'COMPLETED', 2_500)])
    const { timeline } = purchaseFigures([post('a', 0), post('b', 1_200)], rows)

    assert.deepEqual(
      timeline.map(({ accepted, ended }) => [accepted, ended]),
      [
        [1, 1],
        [1, 0],
        [0, 1],
      ],
    )
    assert.equal(timeline[2]?.p99, 1_300)
  })
})
