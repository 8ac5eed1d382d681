import assert from 'node:assert/strict'
import { commandId, newId, purchaseIdOf, purchaseWorkflowId, traceparent } from './ids.ts'

describe('ids', () => {
  it('are new each time, and in the order of time', () => {
    const ids = Array.from({ length: 10_000 }, newId)
    assert.equal(new Set(ids).size, ids.length)
    assert.deepEqual(ids.toSorted(), ids)
    for (const id of ids.slice(0, 10)) {
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    }
  })

  it('of a workflow and of a command say whose they are', () => {
    assert.equal(purchaseWorkflowId('1'), 'purchase-1')
    assert.equal(purchaseIdOf(purchaseWorkflowId('1')), '1')
    assert.equal(commandId('1', 'reserve-stock'), '1/reserve-stock')
  })

  it('make a trace context that is not kept, whose trace id is the purchase id', () => {
    const id = newId()
    const [version, trace = '', parent = '', flags] = traceparent(id).split('-')
    assert.deepEqual([version, flags], ['00', '00'])
    assert.equal(trace, id.replaceAll('-', ''))
    assert.match(parent, /^[0-9a-f]{16}$/)
    assert.notEqual(parent, '0'.repeat(16))
  })
})
