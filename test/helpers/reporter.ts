import { writeFileSync } from 'node:fs'
import Mocha from 'mocha'

/** Mocha's spec reporter, which also leaves its counts where `scripts/test.ts` adds them up. */
export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    runner.once('end', () => {
      const { passes, failures } = this.stats
      const file = process.env.TEST_COUNTS
      if (file) writeFileSync(file, JSON.stringify({ passed: passes, failed: failures }))
    })
  }
}
