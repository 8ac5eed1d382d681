import assert from 'node:assert/strict'
import { Registry } from 'prom-client'
import { newId } from '../../shared/contracts/ids.ts'
import { createUnfinishedLimits } from './unfinished.ts'

describe('the metrics of purchases that have not ended', () => {
  it('are those of the last count, with the age of the oldest saga and the refusals by their limit', async () => {
    const registry = new Registry()
    const limits = createUnfinishedLimits({
      repository: {
        countUnfinished: async () => ({ unfinished: 12, queued: 5 }),
        oldestStarted: async () => 301,
      },
      ...{ maxInAll: 12, registry },
    })

    assert.equal(limits.refusal(newId()), undefined)
    limits.refuseCustomer(newId())
    await limits.count()
    assert.equal(limits.refusal(newId())?.kind, 'unavailable')

    const lines = (await registry.metrics()).split('\n').filter((line) => /^purchase/.test(line))
    assert.deepEqual(lines, [
      'purchases_unfinished 12',
      'purchases_queued 5',
      'purchase_oldest_started_seconds 301',
      'purchases_refused_total{limit="customer"} 1',
      'purchases_refused_total{limit="all"} 1',
    ])
  })
})
