import assert from 'node:assert/strict'
import { formatTime, formatValue, scaleOf, showsLimit } from './scale.ts'

describe('the scale of a panel', () => {
  it('reaches to the largest value, and to a limit that is not far above it', () => {
    const top = (peak: number, limit?: number) => scaleOf(peak, limit, 's').scale.domain()[1]

    assert.equal(top(0.18), 0.2)
    assert.equal(top(0.18, 0.5), 0.5)
    assert.equal(top(0.09, 0.5), 0.1)
    assert.ok(!showsLimit(0.09, 0.5))
  })

  it('reaches to the limit, or to one, where all values are zero', () => {
    assert.deepEqual(scaleOf(0, 0.01, 'percentunit').scale.domain(), [0, 0.01])
    assert.deepEqual(scaleOf(0, undefined, 's').scale.domain(), [0, 1])
  })

  it('is read in minutes from a minute on', () => {
    assert.deepEqual(scaleOf(280, undefined, 's').ticks, [0, 60, 120, 180, 240, 300])
    assert.deepEqual(scaleOf(40, undefined, 's').ticks, [0, 10, 20, 30, 40])
  })

  it('has whole ticks for what is counted, if that leaves more than one', () => {
    assert.deepEqual(scaleOf(1, undefined, 'short').ticks, [0, 1])
    assert.deepEqual(scaleOf(1, undefined, 'ops').ticks, [0, 0.2, 0.4, 0.6, 0.8, 1])
    assert.deepEqual(scaleOf(0.4, undefined, 'short').ticks, [0, 0.1, 0.2, 0.3, 0.4])
  })
})

describe('a value', () => {
  it('has its unit', () => {
    assert.equal(formatValue(0.5, 's'), '500 ms')
    assert.equal(formatValue(0, 's'), '0')
    assert.equal(formatValue(2.5, 's'), '2.5 s')
    assert.equal(formatValue(300, 's'), '5 min')
    assert.equal(formatValue(0.01, 'percentunit'), '1 %')
    assert.equal(formatValue(2.6666, 'ops'), '2.67/s')
    assert.equal(formatValue(1_000, 'short'), '1,000')
  })

  it('is a time in minutes and seconds on the lower axis', () => {
    assert.equal(formatTime(65), '1:05')
  })
})
