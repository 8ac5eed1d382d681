import assert from 'node:assert/strict'
import { findHighestRate } from './search.ts'

/** A shop that sustains rates up to a limit. */
const bearing = (limit: number) => async (rate: number) => rate <= limit

describe('the search for the highest rate', () => {
  for (const limit of [900, 1_000, 1_700, 2_345]) {
    it(`comes within 5 % of ${limit} from below`, async () => {
      const { best } = await findHighestRate(bearing(limit), { first: 1_000, maxTrials: 20 })

      assert.ok(best <= limit && best >= limit / 1.05 - 1, `${best}`)
    })
  }

  it('goes down when the first rate is too high', async () => {
    const { best, trials } = await findHighestRate(bearing(120), { first: 1_000, maxTrials: 20 })

    assert.ok(best <= 120 && best > 110, `${best}`)
    assert.deepEqual(trials[1], { rate: 500, ok: false })
  })

  it('finds nothing when nothing is borne, and stops', async () => {
    const { best, trials } = await findHighestRate(bearing(0), { first: 100, lowest: 10 })

    assert.equal(best, 0)
    assert.ok(trials.length <= 10 && trials.every(({ rate }) => rate >= 10))
  })

  it('tries no rate twice and no more often than allowed', async () => {
    const { trials } = await findHighestRate(bearing(1e9), { first: 1, maxTrials: 7 })

    assert.equal(trials.length, 7)
    assert.equal(new Set(trials.map(({ rate }) => rate)).size, 7)
  })
})
