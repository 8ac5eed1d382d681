import assert from 'node:assert/strict'
import { newId } from '../shared/contracts/ids.ts'
import type { LedgerRow } from './provider-ledger.ts'
import type { PurchaseRecords } from './records.ts'
import { createPlan, type Differing, decide, sortOut } from './repair-plan.ts'
import { problemsOf } from './rules.ts'
import type { Saga } from './sagas.ts'

const amount = '500'
const currency_code = 'VND'
const product_id = newId()
const money = { amount, currency_code }
const line = { product_id, quantity: 4, unit_price: 125 }

/** Undefined: the row is lost. */
type Stored = {
  status?: string
  order?: string
  payment?: string
  /** Without: `pi_1`. */
  reference?: null
  hold?: string
  ledger?: LedgerRow['kind'][]
  /** Beside that of the payment, which is `pi_1`. */
  otherLedger?: LedgerRow['kind'][]
}

const completed = { status: 'COMPLETED', order: 'CONFIRMED', payment: 'CAPTURED', hold: 'SOLD' }
const captured: Stored = { ...completed, ledger: ['CAPTURE'] }
const rejected = { status: 'REJECTED', order: 'CANCELLED', payment: 'REFUNDED', hold: 'RELEASED' }
const refunded: Stored = { ...rejected, ledger: ['CAPTURE', 'REFUND'] }

/** Without one of its rows. */
function without(stored: Stored, ...lost: (keyof Stored)[]): Stored {
  return Object.fromEntries(
    Object.entries(stored).filter(([name]) => !lost.includes(name as never)),
  )
}

function recordsOf({ status, order, payment, hold, ledger = [], ...stored }: Stored) {
  const { reference = 'pi_1', otherLedger = [] } = stored
  const id = newId()
  const rows = (kinds: LedgerRow['kind'][], reference: string) =>
    kinds.map((kind): LedgerRow => ({ key: id, reference, kind, ...money }))
  const records: PurchaseRecords = {
    id,
    purchase: status ? { id, status, lines: [line], refunded: '0', ...money } : undefined,
    order: order ? { id, status: order, lines: [line], age_ms: 0, ...money } : undefined,
    payment: payment
      ? { id, status: payment, reference, refunded: '0', refunds: [], ...money }
      : undefined,
    holds: hold ? [{ purchase_id: id, product_id, quantity: 4, status: hold, age_ms: 0 }] : [],
    hasTombstone: false,
    ledger: [...rows(ledger, 'pi_1'), ...rows(otherLedger, 'pi_2')],
  }
  return records
}

function differing(
  stored: Stored,
  { saga, settled = [] }: { saga?: Saga; settled?: string[] } = {},
): Differing {
  const one = recordsOf(stored)
  const ended: Saga = stored.status
    ? { state: 'COMPLETED', result: stored.status }
    : { state: 'missing' }
  return {
    one,
    problems: problemsOf(one, false),
    saga: saga ?? ended,
    settled: new Set(settled.map((step) => `${one.id}/${step}`)),
    lostProducts: new Set(),
  }
}

/** The plan in words: `createOrder`, `takePayment pi_1`, `refund pi_2`, `ask`, or why not. */
function told(each: Differing): string[] | string {
  assert.ok(each.problems.length > 0, 'it does not differ')
  const decision = decide(each)
  if ('why' in decision) return decision.why
  return decision.map((action) => {
    if (action.act === 'ask') return 'ask'
    const what = action.act === 'command' ? action.name : 'refund'
    return [what, ...(action.reference ? [action.reference] : [])].join(' ')
  })
}

describe('a repair plan', () => {
  for (const [what, stored, actions] of [
    ['a completed purchase without its order', without(captured, 'order'), ['createOrder', 'ask']],
    ['a completed purchase without its stock', without(captured, 'hold'), ['reserveStock', 'ask']],
    [
      'a completed purchase without its payment',
      without(captured, 'payment'),
      ['takePayment pi_1'],
    ],
    [
      'a completed purchase without order, stock and payment',
      without(captured, 'order', 'hold', 'payment'),
      ['reserveStock', 'createOrder', 'takePayment pi_1', 'ask'],
    ],
    ['a completed purchase that is not settled', { ...captured, order: 'PENDING' }, ['ask']],
    [
      'a completed purchase that was charged twice',
      { ...captured, otherLedger: ['CAPTURE'] },
      ['refund pi_2'],
    ],
    [
      'an undone purchase whose payment is captured again',
      { ...refunded, payment: 'CAPTURED' },
      ['refundPayment'],
    ],
    [
      'an undone purchase whose payment is lost',
      without(refunded, 'payment'),
      ['takePayment pi_1', 'refundPayment'],
    ],
    [
      'an undone purchase whose payment does not know yet how the provider names it',
      { ...rejected, payment: 'PENDING', reference: null, ledger: ['VOID'] },
      ['takePayment pi_1', 'refundPayment'],
    ],
    [
      'an undone purchase whose payment never came to the provider',
      { ...rejected, payment: 'PENDING', reference: null },
      ['refundPayment'],
    ],
    [
      'an undone purchase that holds stock and has an open order',
      { ...refunded, order: 'PENDING', hold: 'HELD' },
      ['cancelOrder', 'releaseStock'],
    ],
    ['money that only the provider knows of', { ledger: ['CAPTURE'] }, ['refund pi_1']],
  ] as [string, Stored, string[]][]) {
    it(`repairs ${what}`, () => {
      assert.deepEqual(told(differing(stored)), actions)
    })
  }

  for (const [what, stored, says] of [
    ['has lost its row', without(captured, 'status'), /purchase row is lost/],
    [
      'is completed and whose order was cancelled',
      { ...captured, order: 'CANCELLED' },
      /ask the customer/,
    ],
    [
      'is completed and whose stock was released',
      { ...captured, hold: 'RELEASED' },
      /was released/,
    ],
    ['is completed without money', { ...completed, ledger: [] }, /find its money/],
    ['is undone and looks delivered', { ...refunded, order: 'CONFIRMED' }, /looks delivered/],
    ['has not ended', { ...captured, status: 'PROCESSING' }, /has not ended/],
    ['an operator has resolved', { ...captured, status: 'RESOLVED' }, /operator has resolved/],
    [
      'has lost its payment and refunds',
      { ...without(captured, 'payment'), ledger: ['CAPTURE', 'REFUND'] },
      /provider/,
    ],
  ] as [string, Stored, RegExp][]) {
    it(`leaves to a person a purchase that ${what}`, () => {
      assert.match(String(told(differing(stored))), says)
    })
  }

  it('leaves alone what its saga contradicts, or has not returned', () => {
    const stored = without(captured, 'order')
    const withSaga = (saga: Saga) => String(told(differing(stored, { saga })))

    assert.match(withSaga({ state: 'COMPLETED', result: 'REJECTED' }), /returned REJECTED/)
    assert.match(withSaga({ state: 'RUNNING' }), /has not returned/)
    assert.match(withSaga({ state: 'FAILED' }), /has not returned/)
    assert.equal(withSaga({ state: 'missing' }), 'createOrder,ask')
  })

  it('sends no command that its participant would only answer as before', () => {
    const refused = differing(without(captured, 'hold'), { settled: ['reserve-stock'] })
    assert.match(String(told(refused)), /reserve-stock was refused/)
  })

  it('refunds at the provider where the undo came first and left a tombstone', () => {
    const settled = ['take-payment', 'refund-payment']
    const kept = differing({ ...without(refunded, 'payment'), ledger: ['CAPTURE'] }, { settled })
    assert.deepEqual(told(kept), ['refund pi_1'])
    const { one } = differing(without(refunded, 'payment'))
    assert.deepEqual(problemsOf({ ...one, hasTombstone: true }, false), [])
  })

  it('has an id that stands for its actions, whatever their order', () => {
    const [one, other] = [
      differing(without(captured, 'order')),
      differing(without(captured, 'hold')),
    ]
    const planOf = (differing: Differing[]) => {
      const plan = createPlan()
      plan.add(sortOut(differing))
      return plan.end([])
    }
    const { id, items } = planOf([one, other])

    assert.equal(items.length, 2)
    assert.equal(planOf([other, one]).id, id)
    assert.notEqual(planOf([one]).id, id)
    const changed = { ...other, settled: new Set([`${other.one.id}/reserve-stock`]) }
    assert.notEqual(planOf([one, changed]).id, id)
  })

  it('leaves to a person a purchase whose stock a refund has put back, before it sells it again', () => {
    const lost = without(captured, 'hold')
    const one = recordsOf(lost)
    const refund = { id: newId(), status: 'COMPLETED', amount: 1, returned: true }
    one.payment?.refunds.push({ ...refund, product_ids: [product_id] })
    const differs = { ...differing(lost), one }

    assert.match(String(told(differs)), /a refund has put its stock back/)
    one.payment?.refunds.splice(0, 1, { ...refund, product_ids: [] })
    assert.deepEqual(told(differs), ['reserveStock', 'ask'])
  })

  it('leaves to a person a purchase of which a product is lost with its stock', () => {
    const lost = differing(without(captured, 'hold'))

    const withoutProduct = { ...lost, lostProducts: new Set([product_id]) }
    assert.match(String(told(withoutProduct)), /no stock to reserve/)
    assert.deepEqual(told({ ...lost, lostProducts: new Set([newId()]) }), ['reserveStock', 'ask'])
  })

  it('repairs what it has a place for, however many others need a decision, and counts the rest', () => {
    const plan = createPlan({ items: 2, undecided: 1 })
    const unpaid = { ...completed, ledger: [] }
    const [first, second, third] = [
      differing(without(captured, 'order')),
      differing(without(captured, 'order')),
      differing(without(captured, 'order')),
    ]
    const [named, unnamed] = [differing(unpaid), differing(unpaid)]
    plan.add(sortOut([named, unnamed, first]))
    assert.ok(!plan.isFull())
    plan.add(sortOut([second, third]))
    assert.ok(plan.isFull())
    plan.skip(5)
    const stray = { purchaseId: newId(), differs: ['a saga'], why: 'look' }
    const { items, undecided, further } = plan.end([
      stray,
      { ...stray, purchaseId: first.one.id },
      stray,
    ])

    const idsOf = (all: { purchaseId: string }[]) => all.map(({ purchaseId }) => purchaseId)
    assert.deepEqual(idsOf(items), [first.one.id, second.one.id])
    assert.deepEqual(idsOf(undecided), [named.one.id, stray.purchaseId])
    assert.equal(further, 7)
  })
})
