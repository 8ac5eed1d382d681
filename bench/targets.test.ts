import assert from 'node:assert/strict'
import { exampleRun } from '../test/helpers/bench-run.ts'
import { goals, judge, markOf } from './targets.ts'

const spreadOf = (name: string, runs = [exampleRun()]) =>
  judge(runs).find(({ goal }) => goal.name.startsWith(name))

describe('the goals', () => {
  it('mark what reaches the aim, the promise, or neither', () => {
    const more = { better: 'more', must: 25, aim: 40 } as const
    const less = { better: 'less', must: 400, aim: 250 } as const

    assert.deepEqual(
      [24.9, 25, 40].map((value) => markOf(more, value)),
      ['MISSED', 'must', 'aim'],
    )
    assert.deepEqual(
      [401, 400, 250].map((value) => markOf(less, value)),
      ['MISSED', 'must', 'aim'],
    )
    assert.equal(markOf(less, Number.NaN), 'MISSED')
  })

  it('are all judged by a whole run, the long burst included', () => {
    assert.deepEqual(
      judge([exampleRun()]).map(({ goal }) => goal.name),
      goals.map(({ name }) => name),
    )
  })

  it('leave out what was not measured', () => {
    const { startedAt, reconciled } = exampleRun()

    assert.deepEqual(judge([{ startedAt, reconciled }]), [])
  })

  it('take the median of the runs and show how far they lie apart', () => {
    const runs = [20, 50, 30].map((rate) => {
      const run = exampleRun()
      return { ...run, ...(run.burst && { burst: { ...run.burst, completedPerSecond: rate } }) }
    })

    const burst = spreadOf('burst, all', runs)
    assert.deepEqual(burst?.spread, { median: 30, low: 20, high: 50 })
    assert.equal(burst?.mark, 'must')
  })

  it('give a burst that did not complete no rate', () => {
    const run = exampleRun()
    if (run.burst) run.burst.outcomes = { COMPLETED: 999, REJECTED: 1 }

    assert.equal(spreadOf('burst, all', [run])?.mark, 'MISSED')
  })

  it('count commands sent again per saga, in percent', () => {
    const run = exampleRun()
    if (run.costs) run.costs.kafka.sentAgain = 20

    assert.equal(spreadOf('commands', [run])?.spread.median, 2)
  })

  it('take the service that grew most', () => {
    assert.equal(spreadOf('ten times the burst: most')?.spread.median, 30)
  })
})
