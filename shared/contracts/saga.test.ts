import assert from 'node:assert/strict'
import { OperatorActed } from './events.ts'
import { newId } from './ids.ts'
import { isSagaRequest } from './saga.ts'

const purchaseId = newId()
const request: OperatorActed = {
  action_id: newId(),
  purchase_id: purchaseId,
  operator: 'lan',
  action: 'cancel',
  step: null,
  note: 'the customer called',
  at: new Date().toISOString(),
}

describe('isSagaRequest', () => {
  it('takes what the operator API sends', () => {
    assert.ok(isSagaRequest(request, purchaseId))
    assert.ok(isSagaRequest({ ...request, action: 'retry', step: 'refund-payment' }, purchaseId))
    assert.ok(isSagaRequest({ ...request, action: 'resolve', note: null }, purchaseId))
    assert.ok(isSagaRequest({ ...request, note: 'two\nlines, 👩\u200d👧' }, purchaseId))
  })

  it('refuses what consumers of the announcement could not read', () => {
    const { note: _, ...withoutNote } = request
    const bad: unknown[] = [
      undefined,
      null,
      'cancel',
      7,
      [],
      {},
      withoutNote,
      { ...request, purchase_id: newId() },
      { ...request, action_id: '' },
      { ...request, operator: 7 },
      { ...request, action: 'delete' },
      { ...request, step: '' },
      { ...request, step: undefined },
      { ...request, note: 'x'.repeat(2_001) },
      { ...request, note: 'half an emoji \ud83d' },
      { ...request, note: 'zero \0' },
      { ...request, note: '' },
      { ...request, note: '\u200b\u3164' },
      { ...request, note: '\u001b[31mred' },
      { ...request, operator: '\u202e\u2066' },
      { ...request, operator: 'lan\nadmin' },
      { ...request, step: '\u2800' },
      { ...request, action_id: ' ' },
      { ...request, at: 'today' },
      { ...request, at: '2026-02-30T10:00:00.000Z' },
    ]
    for (const value of bad) assert.ok(!isSagaRequest(value, purchaseId), JSON.stringify(value))
  })

  it('takes nothing that the announced event does not allow', () => {
    const values: Record<keyof OperatorActed, unknown[]> = {
      action_id: ['', 'a', 1, null],
      purchase_id: ['x', null],
      operator: ['', 'a', null],
      action: ['retry', 'resolve', 'cancel', 'reset', ''],
      step: [null, '', 'a', 1],
      note: [null, '', 'a', 1],
      at: [request.at, '2026-01-01', '2026-13-01T00:00:00.000Z', 0, null],
    }
    for (const [field, tried] of Object.entries(values)) {
      for (const value of tried) {
        const changed = { ...request, [field]: value }
        if (isSagaRequest(changed, purchaseId)) {
          assert.ok(OperatorActed.safeParse(changed).success, `${field} ${value}`)
        }
      }
    }
  })
})
