import assert from 'node:assert/strict'
import type { Part } from '../../../scripts/backup/restore.ts'
import { type Books, expectedToDiffer } from './books.ts'

type Row = {
  status: string
  order?: string
  payment?: string
  refunded?: string
  holds?: string[]
}

const amount = '500'
const sold: Row = { status: 'COMPLETED', order: 'CONFIRMED', payment: 'CAPTURED', holds: ['SOLD'] }
const refunded: Row = { ...sold, refunded: '100', holds: ['RETURNED'] }
const returned: Row = { ...sold, refunded: amount }
const undone: Row = {
  status: 'REJECTED',
  order: 'CANCELLED',
  payment: 'REFUNDED',
  holds: ['RELEASED'],
}

function booksOf(rows: Record<string, Row>): Books {
  const books: Books = {
    purchases: new Map(),
    refunded: new Map(),
    orders: new Map(),
    payments: new Map(),
    holds: new Map(),
  }
  for (const [id, { status, order, payment, refunded = '0', holds }] of Object.entries(rows)) {
    books.purchases.set(id, status)
    books.refunded.set(id, refunded)
    if (order) books.orders.set(id, order)
    if (payment) books.payments.set(id, { status: payment, reference: id, amount, refunded })
    if (holds) books.holds.set(id, holds)
  }
  return books
}

/** The purchases that differ when a part shows an earlier time than the others. */
function differing(
  part: Part | 'all',
  now: Record<string, Row>,
  earlier: Record<string, Row>,
): string[] {
  const [before, old] = [booksOf(now), booksOf(earlier)]
  const restored: Books = {
    ...before,
    ...(part === 'order' && { orders: old.orders }),
    ...(part === 'payment' && { payments: old.payments }),
    ...(part === 'product' && { holds: old.holds }),
    ...(part === 'purchase' && { purchases: old.purchases, refunded: old.refunded }),
    ...(part === 'all' && old),
  }
  return [...expectedToDiffer(part, { before, restored })].sort()
}

describe('what differs after a restore', () => {
  const later = { lost: sold, undone }

  it('is what was bought since the backup, where the part knows of it', () => {
    const [now, earlier] = [{ kept: sold, ...later }, { kept: sold }]

    assert.deepEqual(differing('order', now, earlier), ['lost'])
    assert.deepEqual(differing('product', now, earlier), ['lost'])
    assert.deepEqual(differing('payment', now, earlier), ['lost', 'undone'])
    assert.deepEqual(differing('purchase', now, earlier), ['lost', 'undone'])
    assert.deepEqual(differing('all', now, earlier), ['lost'])
  })

  it('is what was refunded since the backup, too, except for orders', () => {
    const [now, earlier] = [{ kept: refunded }, { kept: sold }]

    assert.deepEqual(differing('order', now, earlier), [])
    for (const part of ['product', 'payment', 'purchase', 'all'] as const) {
      assert.deepEqual(differing(part, now, earlier), ['kept'], part)
    }
  })

  it('is not what was bought and refunded before the backup', () => {
    const books = { kept: refunded }

    for (const part of ['product', 'payment', 'purchase', 'all'] as const) {
      assert.deepEqual(differing(part, books, books), [], part)
    }
  })

  it('is, of what was lost everywhere, only that whose money the provider has', () => {
    assert.deepEqual(differing('all', { part: refunded, whole: returned }, {}), ['part'])
  })
})
