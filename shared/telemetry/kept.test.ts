import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { createKeeps } from './kept.ts'

const ids = `${'a'.repeat(32)}-${'b'.repeat(16)}`
const asking = (traceparent?: string) =>
  ({ headers: { traceparent } }) as unknown as IncomingMessage

describe('whether the trace of a request is kept', () => {
  it('is for the one who began the trace to say', () => {
    for (const share of [0, 1]) {
      const keeps = createKeeps(share)
      assert.equal(keeps(asking(`00-${ids}-01`)), true)
      assert.equal(keeps(asking(`00-${ids}-03`)), true)
      assert.equal(keeps(asking(`00-${ids}-00`)), false)
      assert.equal(keeps(asking(`00-${ids}-02`)), false)
    }
  })

  it('is a matter of chance for a request that comes without a trace, or with an invalid one', () => {
    for (const traceparent of [undefined, '', 'yes', `00-${ids}-1`, `00-${ids}-01-more`]) {
      assert.equal(createKeeps(0)(asking(traceparent)), false)
      assert.equal(createKeeps(1)(asking(traceparent)), true)
    }
  })

  it('is true for about the share of those without a trace', () => {
    const keeps = createKeeps(0.1)
    const kept = Array.from({ length: 10_000 }, () => keeps(asking())).filter(Boolean).length

    // Ten standard deviations of chance to each side.
    assert.ok(kept > 700 && kept < 1_300, `${kept} of 10,000`)
  })
})
