import assert from 'node:assert/strict'
import { newId } from '../../../shared/contracts/ids.ts'
import { buildPurchase } from '../../../test/helpers/purchases.ts'
import { buildRefund } from '../../../test/helpers/refunds.ts'
import { visibleEnd, visibleRefund, visibleStart } from './visibility.ts'

const line = (name: string) => ({ product_id: newId(), quantity: 2, name, unit_price: 125 })

describe('what the Temporal Web UI shows of a saga', () => {
  it('sums a purchase up in a line', () => {
    const accepted = { ...buildPurchase(), currency_code: 'USD', amount: 12_550 }
    const two = { ...accepted, lines: [line('Tea'), line('Cup')] }

    assert.equal(
      visibleStart({ ...accepted, lines: [line('Tea')] }, 'shop').staticSummary,
      '1 line, 125.50 USD',
    )
    assert.equal(visibleStart(two, 'shop').staticSummary, '2 lines, 125.50 USD')
  })

  it('lists lines, amount, customer, and where to look further', () => {
    const accepted = { ...buildPurchase(), lines: [line('Green tea')], amount: 250 }
    const { purchase_id, customer_id } = accepted

    const { staticDetails } = visibleStart(accepted, 'shop')

    assert.ok(staticDetails.includes('- 2 × `Green tea` at 125 VND'))
    assert.ok(staticDetails.includes('Amount: 250 VND, paid by `sim_ok`'))
    const query = encodeURIComponent(`CustomerId="${customer_id}"`)
    assert.ok(staticDetails.includes(`](/namespaces/shop/workflows?query=${query})`))
    assert.ok(staticDetails.includes(`/purchases/${purchase_id}`))
    assert.ok(staticDetails.includes(`/sagas/${purchase_id}`))
  })

  it('gives the name of a product no way out of its code span', () => {
    const accepted = { ...buildPurchase(), lines: [line('`![x](http://evil/)`\n# Paid')] }

    const { staticDetails } = visibleStart(accepted, 'shop')

    assert.ok(staticDetails.includes('`![x](http://evil/) # Paid`'))
  })

  it('fits into what the server takes, also for a hundred lines with the longest names', () => {
    const lines = Array.from({ length: 100 }, () => line('茶'.repeat(200)))

    const { staticDetails, staticSummary } = visibleStart({ ...buildPurchase(), lines }, 'shop')

    assert.ok(
      Buffer.byteLength(staticDetails) < 10_000,
      `${Buffer.byteLength(staticDetails)} bytes`,
    )
    assert.ok(Buffer.byteLength(staticSummary) < 400)
    assert.ok(staticDetails.includes('- and 80 more'))
  })

  it('files a workflow that only announces an end under that end', () => {
    const ended = {
      purchase_id: newId(),
      customer_id: null,
      status: 'REJECTED',
      reason: 'invalid',
      failed_step: null,
    } as const

    const { typedSearchAttributes, staticSummary } = visibleEnd(ended)

    assert.deepEqual(
      typedSearchAttributes.map(({ key, value }) => [key.name, value]),
      [
        ['PurchaseStatus', 'REJECTED'],
        ['FailureReason', 'invalid'],
      ],
    )
    assert.equal(staticSummary, 'REJECTED: invalid')
  })

  describe('of a refund', () => {
    it('files it under its purchase and customer, as one that has begun', () => {
      const refund = buildRefund({ currency_code: 'USD', amount: 12_550 })

      const { typedSearchAttributes, memo, staticSummary } = visibleRefund(refund)

      assert.deepEqual(
        typedSearchAttributes.map(({ key, value }) => [key.name, value]),
        [
          ['RefundStatus', 'PROCESSING'],
          ['PurchaseId', refund.purchase_id],
          ['CustomerId', refund.customer_id],
        ],
      )
      assert.deepEqual(memo, { purchase_id: refund.purchase_id })
      assert.equal(staticSummary, 'Refund of 125.50 USD')
    })

    it('names who asked for it, what is put back, and where to look further', () => {
      const products = [newId(), newId()]
      const refund = buildRefund({ product_ids: products })
      const { refund_id, purchase_id, seller_id } = refund

      const { staticDetails } = visibleRefund(refund)

      const asked = `Refund \`${refund_id}\` of 125 VND, asked for by the seller \`${seller_id}\``
      assert.ok(staticDetails.startsWith(`${asked}\n`), staticDetails)
      assert.ok(staticDetails.includes(`Put back: \`${products[0]}\`, \`${products[1]}\``))
      assert.ok(staticDetails.includes(`/refund-sagas/${refund_id}\``))
      assert.ok(staticDetails.includes(`/payments/${purchase_id}/refunds\``))
    })

    it('says when an operator asked for it and nothing is put back', () => {
      const { staticDetails } = visibleRefund(buildRefund({ seller_id: null, product_ids: [] }))

      assert.match(staticDetails, /asked for by an operator\n\nNothing is put back\n/)
    })
  })
})
