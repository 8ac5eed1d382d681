import assert from 'node:assert/strict'
import { profiles } from './profile.ts'
import { runRestores } from './restore/restore.ts'

const purchases = 8

/** The short form of `npm run drill -- restore`. */
describe('a shop with one database from a backup', function () {
  this.timeout(1_200_000)

  it('names the purchases that differ, and repairs them as a person has confirmed', async () => {
    const lines: string[] = []
    const results = await runRestores(
      { seed: 1, seeds: 1, purchases, parts: ['payment'] },
      profiles.drill,
      (line) => lines.push(line),
    )

    const violations = results.flatMap((result) => result.violations)
    assert.deepEqual(violations, [], lines.join('\n'))
    assert.equal(results.length, 1)
  })
})
