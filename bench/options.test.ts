import assert from 'node:assert/strict'
import { readSettings } from './options.ts'

describe('the settings of the benchmark', () => {
  it('are the whole run of 1000 without the long burst', () => {
    const { purchases, inFlight, perMinute, openSeconds, phases, studies, long } = readSettings([])

    assert.deepEqual([purchases, inFlight, perMinute, openSeconds], [1_000, 128, 1_000, 180])
    assert.deepEqual(phases, ['latency', 'burst', 'open', 'search', 'reads', 'ceiling'])
    assert.deepEqual([studies, long], [[], false])
  })

  it('take phases in their own order, whatever the order they are named in', () => {
    assert.deepEqual(readSettings(['--only', 'reads,burst']).phases, ['burst', 'reads'])
  })

  it('take ten times the burst with --long', () => {
    const settings = readSettings(['--long', '--purchases', '50'])

    assert.equal(settings.long, true)
    assert.equal(settings.longPurchases, 500)
  })

  it('keep the phases out when only a study is named', () => {
    const { phases, studies } = readSettings(['--only', 'pools'])

    assert.deepEqual([phases, studies], [[], ['pools']])
  })

  it('take a million rows for the filled shop, or another number', () => {
    assert.equal(readSettings(['--only', 'volume']).rows, 1_000_000)
    assert.equal(readSettings(['--only', 'volume', '--rows', '2000']).rows, 2_000)
  })

  for (const args of [
    ['--purchases', '0'],
    ['--rows', 'many'],
    ['--runs', '1.5'],
    ['--only', 'lunch'],
    ['--methods', 'barter'],
    ['--unknown'],
  ]) {
    it(`refuse ${args.join(' ')}`, () => {
      assert.throws(() => readSettings(args))
    })
  }
})
