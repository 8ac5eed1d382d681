import assert from 'node:assert/strict'
import { profiles } from './profile.ts'
import { runRestores } from './restore/restore.ts'

const purchases = 8

/** The short form of `npm run drill -- restore`. */
describe('a shop with one database from a backup', function () {
  this.timeout(1_200_000)

  async function restore(options: { parts: string[]; minutes?: number }): Promise<string[]> {
    const lines: string[] = []
    const results = await runRestores(
      { seed: 1, seeds: 1, purchases, ...options },
      profiles.drill,
      (line) => lines.push(line),
    )

    const violations = results.flatMap((result) => result.violations)
    assert.deepEqual(violations, [], lines.join('\n'))
    return results.map(({ drill }) => drill)
  }

  it('names the purchases that differ, and repairs them as a person has confirmed', async () => {
    assert.deepEqual(await restore({ parts: ['payment'] }), ['restore payment'])
  })

  it('names also what was refunded since an older backup, and leaves it to a person', async () => {
    const drills = await restore({ parts: ['payment', 'all'], minutes: 0.5 })

    assert.deepEqual(drills.slice(1), ['restore payment', 'restore all'])
  })
})
