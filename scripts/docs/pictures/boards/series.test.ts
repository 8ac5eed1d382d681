import assert from 'node:assert/strict'
import { lastOf, nameOf, peakOf, seriesOf } from './series.ts'

const labels = { group: 'mail', topic: 'emails' }

describe('a series of a panel', () => {
  it('is named by the labels that its legend asks for', () => {
    assert.equal(nameOf('{{group}} {{topic}}', labels), 'mail emails')
    assert.equal(nameOf('{{group}} {{missing}}', labels), 'mail')
    assert.equal(nameOf('p99', labels), 'p99')
  })

  it('has a value for each point of time, and none where Prometheus answers none or no number', () => {
    const values: [number, string][] = [
      [10, '0.5'],
      [20, 'NaN'],
      [40, '0.25'],
    ]
    const [series] = seriesOf([{ metric: labels, values }], '{{topic}}', [10, 20, 30, 40])

    assert.deepEqual(series, { name: 'emails', values: [0.5, Number.NaN, Number.NaN, 0.25] })
    assert.equal(series && peakOf(series), 0.5)
    assert.equal(series && lastOf(series), 0.25)
  })

  it('is left out if it has no value at all', () => {
    const never: [number, string][] = [[10, 'NaN']]

    assert.deepEqual(seriesOf([{ metric: labels, values: never }], 'p99', [10]), [])
    assert.deepEqual(seriesOf([], 'p99', [10]), [])
  })
})
