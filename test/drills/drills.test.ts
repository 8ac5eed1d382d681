import assert from 'node:assert/strict'
import { type DrillStack, startDrillStack } from './drill-stack.ts'
import { drills } from './drills.ts'
import { profiles } from './profile.ts'
import { runDrill } from './run-drill.ts'

const seed = 1
const profile = profiles.drill

/** The short form of `npm run drill -- all`, on one stack. */
describe('what always holds', function () {
  this.timeout(1_200_000)

  let own: DrillStack | undefined

  after(() => own?.close())

  for (const drill of drills) {
    it(`under ${drill.id}: ${drill.about}`, async () => {
      own ??= await startDrillStack(profile)
      const lines: string[] = []
      const { deadLetters, ok, violations } = await runDrill(drill, {
        stack: own.stack,
        seed,
        purchases: drill.short,
        short: true,
        profile,
        print: (line) => lines.push(line),
        deadLettersBefore: own.deadLetters,
      })
      own.deadLetters = deadLetters
      if (!ok) {
        // The next drill is judged by what it does itself.
        await own.close()
        own = undefined
      }

      assert.ok(ok, `${JSON.stringify(violations, null, 2)}\n${lines.join('\n')}`)
    })
  }
})
