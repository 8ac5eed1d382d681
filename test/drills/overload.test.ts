import assert from 'node:assert/strict'
import { printReport } from '../../bench/reconcile.ts'
import { type OwnStack, startOwnStack } from '../helpers/own-stack.ts'
import { type Overload, overload } from './overload.ts'

/** Low, so that a short burst is too much for it on any machine. */
const maxInFlight = '4'
const maxGrowthMb = 200

describe('many more purchases than the shop can handle', function () {
  this.timeout(900_000)

  const open = new AsyncDisposableStack()
  let result: Overload

  before(async () => {
    const before = process.env.MAX_IN_FLIGHT
    process.env.MAX_IN_FLIGHT = maxInFlight
    let own: OwnStack
    try {
      own = open.adopt(await startOwnStack(), (it) => it.close())
    } finally {
      if (before === undefined) delete process.env.MAX_IN_FLIGHT
      else process.env.MAX_IN_FLIGHT = before
    }
    result = await overload(own.stack, { seconds: 0.1, perSecond: 1_000, recoverySeconds: 240 })
    if (!result.report.ok) printReport(result.report)
  })

  after(() => open.disposeAsync())

  it('some are accepted, and the others are told when to come again', () => {
    assert.ok(result.accepted > 0)
    assert.ok((result.answers['503'] ?? 0) > 0, JSON.stringify(result.answers))
    assert.equal(result.rude, 0)
    // The client's own patience may end first where the machine has other work.
    const fine = ['202', '503', 'TimeoutError']
    assert.deepEqual(
      Object.keys(result.answers).filter((status) => !fine.includes(status)),
      [],
    )
  })

  it('all that was accepted ends, nothing is lost, and all adds up', () => {
    assert.deepEqual(result.lost, [])
    assert.ok(result.report.ok)
  })

  it('memory does not grow with what is refused', () => {
    for (const [name, { before, most }] of Object.entries(result.memory)) {
      assert.ok(most - before < maxGrowthMb, `${name} went from ${before} to ${most} MB`)
    }
    assert.equal(Object.keys(result.memory).length, 2)
  })
})
