import assert from 'node:assert/strict'
import {
  completed,
  openShopRecords,
  referenceOf,
  rejected,
  type ShopRecords,
} from '../test/helpers/shop-records.ts'
import { checkRecords } from './checks.ts'

describe('the checks of a shop', () => {
  let shop: ShopRecords

  before(async () => {
    shop = await openShopRecords()
  })

  after(() => shop.close())

  beforeEach(() => shop.reset())

  it('passes a shop in which nothing was bought', async () => {
    await shop.assertNoFinding()
  })

  it('passes what completed and every way to be undone', async () => {
    await shop.plant(completed)
    await shop.plant(rejected)
    await shop.plant({ ...rejected, status: 'CANCELLED', payment: 'VOIDED', ledger: ['VOID'] })
    await shop.plant({ ...rejected, payment: 'DECLINED', ledger: ['VOID'] })
    await shop.plant({ ...rejected, payment: null, ledger: [] })
    await shop.plant({ status: 'REJECTED' })
    await shop.assertNoFinding()
  })

  describe('stock', () => {
    const name = 'stock adds up'

    it('finds units that were received and are nowhere', async () => {
      const id = await shop.plant(completed)
      await shop.clients.product.query('UPDATE products SET received = received + 1')
      await shop.assertOnly(name, id, /received 101 is not stock \+ held \+ sold/)
    })

    it('finds negative stock', async () => {
      const id = await shop.plant(completed)
      await shop.clients.product.query('UPDATE products SET stock = -1, received = 3')
      await shop.assertOnly(name, id, /something is negative/)
    })

    it('finds sold stock without a hold', async () => {
      const id = await shop.plant(completed)
      await shop.clients.product.query('UPDATE products SET stock = stock - 1, sold = sold + 1')
      await shop.assertOnly(name, id, /4 in SOLD holds/)
    })
  })

  describe('a completed purchase', () => {
    const name = 'completed: confirmed, captured, sold'

    it('needs its order', async () => {
      await shop.assertOnly(name, await shop.plant({ ...completed, order: null }), /order missing/)
    })

    it('needs its order CONFIRMED, though the payment is CAPTURED', async () => {
      await shop.assertOnly(
        name,
        await shop.plant({ ...completed, order: 'CANCELLED' }),
        /order CANCELLED/,
      )
    })

    it('needs its payment CAPTURED, though the order is CONFIRMED', async () => {
      await shop.assertOnly(
        name,
        await shop.plant({ ...completed, payment: 'PENDING' }),
        /payment PENDING/,
      )
    })

    it('needs the capture in the ledger', async () => {
      await shop.assertOnly(name, await shop.plant({ ...completed, ledger: [] }), /ledger empty/)
    })

    it('must not be refunded', async () => {
      const planted = { ...completed, ledger: ['CAPTURE', 'REFUND'] }
      await shop.assertOnly(name, await shop.plant(planted), /ledger CAPTURE REFUND/)
    })

    it('needs its stock sold', async () => {
      await shop.assertOnly(name, await shop.plant({ ...completed, hold: 'HELD' }), /holds HELD/)
    })

    it('needs all of its stock sold', async () => {
      const id = await shop.plant(completed)
      await shop.clients.product.query('UPDATE holds SET quantity = 3')
      await shop.clients.product.query('UPDATE products SET sold = 3, stock = 97')
      await shop.assertOnly(name, id, /holds are not the lines/)
    })
  })

  describe('an undone purchase', () => {
    const name = 'not completed: all undone'

    it('keeps no captured money', async () => {
      const planted = { ...rejected, payment: 'CAPTURED', ledger: ['CAPTURE'] }
      await shop.assertOnly(
        name,
        await shop.plant(planted),
        /payment CAPTURED, ledger CAPTURE without REFUND/,
      )
    })

    it('keeps no money that only the provider knows of', async () => {
      const planted = { ...rejected, payment: null, ledger: ['CAPTURE'] }
      await shop.assertOnly(name, await shop.plant(planted), /ledger CAPTURE without REFUND/)
    })

    it('may lack the payment that was undone before it was seen, once its money is returned', async () => {
      const id = await shop.plant({ ...rejected, payment: null, ledger: ['CAPTURE', 'REFUND'] })
      await shop.assertOnly(name, id, /payment missing but ledger CAPTURE REFUND/)
      await shop.clients.payment.query('INSERT INTO inbox (command_id, undone) VALUES ($1, true)', [
        `${id}/take-payment`,
      ])
      await shop.assertNoFinding()
    })

    it('has no refund that the provider does not know of', async () => {
      const id = await shop.plant({ ...rejected, ledger: [] })
      await shop.assertOnly(name, id, /payment REFUNDED but ledger empty/)
    })

    it('has no order left', async () => {
      await shop.assertOnly(
        name,
        await shop.plant({ ...rejected, order: 'PENDING' }),
        /order PENDING/,
      )
      await shop.clients.order.query(`UPDATE orders SET status = 'CONFIRMED'`)
      assert.match(
        (await shop.check()).find((one) => one.name === name)?.detail ?? '',
        /order CONFIRMED/,
      )
    })

    it('has no stock left', async () => {
      await shop.assertOnly(name, await shop.plant({ ...rejected, hold: 'HELD' }), /holds HELD/)
    })
  })

  it('lets an operator answer for what could not be undone, but not for a confirmed order', async () => {
    const id = await shop.plant({
      ...completed,
      status: 'RESOLVED',
      order: 'CANCELLED',
      hold: 'RELEASED',
    })
    await shop.assertNoFinding()
    await shop.clients.order.query(`UPDATE orders SET status = 'CONFIRMED'`)
    await shop.assertOnly('not completed: all undone', id, /order CONFIRMED/)
  })

  describe('amounts', () => {
    const name = 'amounts and lines agree'

    for (const [what, database, sql, says] of [
      ['order', 'order', 'UPDATE orders SET amount = 1', /order 1 VND of 500 VND/],
      ['payment', 'payment', 'UPDATE payments SET amount = 2', /payment 2 VND of 500 VND/],
      ['currency', 'payment', `UPDATE payments SET currency_code = 'USD'`, /payment 500 USD/],
      ['order lines', 'order', 'UPDATE order_lines SET unit_price = 1', /order lines 4 VND/],
    ] as const) {
      it(`must not differ: ${what}`, async () => {
        const id = await shop.plant(completed)
        await shop.clients[database].query(sql)
        await shop.assertOnly(name, id, says)
      })
    }

    it('must not differ: ledger', async () => {
      const id = await shop.plant(completed)
      shop.provider.books.exec('UPDATE intents SET amount = 3')
      await shop.assertOnly(name, id, /CAPTURE 3 VND of 500 VND/)
    })

    it('must be the sum of the lines', async () => {
      const id = await shop.plant(completed)
      await shop.clients.purchase.query('UPDATE purchases SET amount = 499')
      await shop.assertOnly(name, id, /lines 500 VND of 499 VND/)
    })
  })

  it('finds a second capture', async () => {
    const id = await shop.plant({ ...completed, ledger: ['CAPTURE', 'CAPTURE'] })
    await shop.assertOnly('one capture at most', id, /CAPTURE 2 times/)
  })

  it('finds a capture under another reference than ours', async () => {
    const id = await shop.plant(completed)
    await shop.clients.payment.query(`UPDATE payments SET provider_reference = 'pi_other'`)
    await shop.assertOnly('one capture at most', id, /captured as pi_\w+, not as pi_other/)
  })

  it('finds an order, a payment, money and stock without a purchase', async () => {
    const { status: _, ...withoutPurchase } = completed
    const id = await shop.plant(withoutPurchase)
    const says = /an order, a payment, a hold, a ledger entry and no purchase/
    await shop.assertOnly('nothing without its purchase', id, says)
  })

  it('passes what only the provider knows and has returned, and finds what it has kept', async () => {
    for (const ledger of [['VOID'], ['CAPTURE', 'REFUND']]) await shop.plant({ ledger })
    await shop.assertNoFinding()
    const id = await shop.plant({ ledger: ['CAPTURE'] })
    await shop.assertOnly('nothing without its purchase', id, /a ledger entry and no purchase/)
  })

  it('passes a second capture that was returned', async () => {
    const id = await shop.plant({ ...completed, ledger: ['CAPTURE', 'CAPTURE'] })
    shop.provider.books
      .prepare('UPDATE intents SET refunded = amount WHERE id <> ?')
      .run(referenceOf(id))
    await shop.assertNoFinding()
  })

  it('calls out each purchase that differs, with what is stored of it', async () => {
    await shop.plant(completed)
    const id = await shop.plant({ ...completed, order: null })
    const called: string[] = []

    await checkRecords(shop.records, {
      onWrong(wrong) {
        for (const { one, problems } of wrong) {
          called.push(`${one.id} ${one.payment?.status} ${problems.map(({ check }) => check)}`)
        }
      },
    })

    assert.deepEqual(called, [`${id} CAPTURED completed: confirmed, captured, sold`])
  })

  it('names each purchase once and no more than twenty lines', async () => {
    const ids: string[] = []
    for (let count = 0; count < 22; count++) ids.push(await shop.plant({ status: 'ACCEPTED' }))
    const open = (await shop.check()).find(({ ok }) => !ok)
    assert.deepEqual(open?.purchaseIds, ids)
    assert.equal(open?.detail.split('\n').length, 21)
    assert.match(open?.detail ?? '', /and 2 more$/)
  })
})
