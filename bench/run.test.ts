import assert from 'node:assert/strict'
import { exampleRun } from '../test/helpers/bench-run.ts'
import { isSound, withLost } from './run.ts'

describe('the verdict on a run', () => {
  it("is the reconciler's when nothing is lost", () => {
    const { reconciled, ...rest } = exampleRun()

    assert.equal(withLost(reconciled, rest).ok, true)
    assert.equal(withLost({ ...reconciled, ok: false }, rest).ok, false)
  })

  it('is bad when a purchase that was answered 202 is in no table, in whichever phase', () => {
    for (const phase of ['latency', 'burst', 'open', 'long'] as const) {
      const { reconciled, ...rest } = exampleRun()
      rest[phase]?.lost.push('01a2056f-618b-71c2-badd-ea224837ab87')

      const report = withLost(reconciled, rest)

      assert.equal(isSound({ ...rest, reconciled: report }), false, phase)
      assert.match(report.checks.at(-1)?.detail ?? '', /01a2056f/)
    }
  })
})
