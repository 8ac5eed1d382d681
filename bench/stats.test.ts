import assert from 'node:assert/strict'
import { countBy, percentile, spreadOf, summarize } from './stats.ts'

describe('stats', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)

  it('takes percentiles by nearest rank, whatever the order', () => {
    assert.deepEqual(summarize(hundred), { p50: 50, p95: 95, p99: 99, max: 100 })
  })

  it('takes a value that occurred, never one in between', () => {
    assert.equal(percentile([10, 20], 50), 10)
    assert.equal(percentile([10, 20], 51), 20)
  })

  it('has every percentile of one value and none of no value', () => {
    assert.deepEqual(summarize([7]), { p50: 7, p95: 7, p99: 7, max: 7 })
    assert.ok(Number.isNaN(percentile([], 50)))
  })

  it('leaves the values as they are', () => {
    const values = [3, 1, 2]
    percentile(values, 50)
    assert.deepEqual(values, [3, 1, 2])
  })

  it('counts by key, most often first', () => {
    assert.deepEqual(
      countBy(['a', 'b', 'b'], (char) => char),
      [
        ['b', 2],
        ['a', 1],
      ],
    )
  })
})

describe('the spread of some runs', () => {
  it('has the middle one, and the outermost', () => {
    assert.deepEqual(spreadOf([5, 1, 3]), { median: 3, low: 1, high: 5 })
  })

  it('takes the mean of the two in the middle', () => {
    assert.equal(spreadOf([4, 1, 3, 2]).median, 2.5)
    assert.equal(spreadOf([7]).median, 7)
  })
})
