import assert from 'node:assert/strict'
import { newId } from '../shared/contracts/ids.ts'
import {
  completed,
  openShopRecords,
  referenceOf,
  type ShopRecords,
} from '../test/helpers/shop-records.ts'
import { checkRecords } from './checks.ts'
import type { Records } from './records.ts'

describe('the records of a shop at work', () => {
  let shop: ShopRecords

  before(async () => {
    shop = await openShopRecords()
  })

  after(() => shop.close())

  beforeEach(() => shop.reset())

  describe('what is in flight', () => {
    const processing = { ...completed, status: 'PROCESSING', order: 'PENDING', hold: 'HELD' }

    it('must have ended', async () => {
      const id = await shop.plant(processing)
      await shop.assertOnly('every accepted purchase has ended', id, /still PROCESSING/)
    })

    it('is no finding while the shop is at work', async () => {
      await shop.plant(processing)
      await shop.plant({ ...processing, status: 'COMPLETED' })
      await shop.assertNoFinding({ live: true })
    })

    it('is a finding once it is overdue', async () => {
      const id = await shop.plant({ ...processing, status: 'COMPLETED' })
      await shop.clients.order.query(`UPDATE orders SET created_at = now() - interval '61 s'`)
      const says = /captured, order PENDING for a minute/
      await shop.assertOnly('no settlement is overdue', id, says, { live: true })
    })
  })

  describe('a purchase that changes while it is read', () => {
    /** Does something between the first look at a batch and the next. */
    const meanwhile = (work: () => Promise<unknown>): Records => ({
      ...shop.records,
      async *batches() {
        for await (const batch of shop.records.batches()) {
          await work()
          yield batch
        }
      },
    })

    it('is read again, and is no finding when it has become right', async () => {
      const id = await shop.plant({ ...completed, order: null, hold: 'HELD' })
      const moving = meanwhile(async () => {
        await shop.inserts.order(id, 'CONFIRMED')
        await shop.clients.product.query(`UPDATE holds SET status = 'SOLD'`)
        await shop.clients.product.query('UPDATE products SET held = 0, sold = 4')
      })

      const { checks, byStatus } = await checkRecords(moving)

      assert.deepEqual(
        checks.filter(({ ok }) => !ok),
        [],
      )
      assert.deepEqual(byStatus, { COMPLETED: 1 })
    })

    it('is no stray when its purchase was stored after the batch was read', async () => {
      const { status, ...withoutPurchase } = completed
      const id = await shop.plant(withoutPurchase)

      const { checks, purchases } = await checkRecords(
        meanwhile(() => shop.inserts.purchase(id, status)),
        { live: true, atOnce: true },
      )

      assert.deepEqual(
        checks.filter(({ ok }) => !ok),
        [],
      )
      assert.equal(purchases, 1)
    })

    it('is a finding at once for those who watch what holds at any instant', async () => {
      const id = await shop.plant({ ...completed, order: 'CANCELLED' })
      const moving = meanwhile(() =>
        shop.clients.order.query(`UPDATE orders SET status = 'CONFIRMED'`),
      )

      const { checks } = await checkRecords(moving, { live: true, atOnce: true })

      assert.deepEqual(
        checks.filter(({ ok }) => !ok).map(({ purchaseIds }) => purchaseIds),
        [[id]],
      )
    })
  })

  describe('more purchases than a batch', () => {
    it('are all compared, and none of what lies before, between and after them is missed', async () => {
      const ids = await plantMany(1_234)
      const strays = ['', 'aaaa', ids[600]?.replace(/.$/, 'z') ?? '', 'zzzz']
      for (const key of strays) shop.inserts.ledger(key, ['CAPTURE'])
      const wrong = ids[700] ?? ''
      shop.provider.books.prepare('DELETE FROM intents WHERE id = ?').run(referenceOf(wrong))
      const seen: number[] = []

      const { checks, purchases, latestEnded } = await checkRecords(shop.records, {
        maxLatest: 2,
        onProgress: (count) => seen.push(count),
      })

      assert.equal(purchases, 1_234)
      assert.deepEqual(
        latestEnded.map(({ id }) => id),
        ids.slice(-2),
      )
      assert.ok(seen.length > 2 && seen.at(-1) === 1_234, `${seen}`)
      const broken = new Map(checks.filter(({ ok }) => !ok).map((one) => [one.name, one]))
      assert.deepEqual(broken.get('completed: confirmed, captured, sold')?.purchaseIds, [wrong])
      assert.deepEqual(
        broken.get('nothing without its purchase')?.purchaseIds.toSorted(),
        strays.toSorted(),
      )
    })

    /** Completed purchases of one product, planted by one statement for each table. */
    async function plantMany(count: number): Promise<string[]> {
      const customerId = newId()
      const ids = Array.from({ length: count }, newId).sort()
      const given = `unnest('{${ids.join()}}'::uuid[]) AS given (id)`
      const line = JSON.stringify([{ product_id: shop.productId, quantity: 1, unit_price: 500 }])
      const money = `500, 'VND'`
      await shop.clients.purchase.query(`
        INSERT INTO purchases (id, customer_id, body_hash, lines, amount, currency_code, payment_method, status)
        SELECT id, '${customerId}', '', '${line}', ${money}, 'sim_ok', 'COMPLETED' FROM ${given}`)
      await shop.clients.order.query(`
        INSERT INTO orders (id, customer_id, status, amount, currency_code)
        SELECT id, '${customerId}', 'CONFIRMED', ${money} FROM ${given}`)
      await shop.clients.order.query(
        `INSERT INTO order_lines SELECT id, '${shop.productId}', 'Iphone 13', 1, 500 FROM ${given}`,
      )
      await shop.clients.payment.query(`
        INSERT INTO payments (id, customer_id, status, amount, currency_code, method, provider_reference)
        SELECT id, '${customerId}', 'CAPTURED', ${money}, 'sim_ok', 'pi_' || replace(id::text, '-', '')
        FROM ${given}`)
      shop.provider.books.exec('BEGIN')
      for (const id of ids) shop.inserts.ledger(id, ['CAPTURE'])
      shop.provider.books.exec('COMMIT')
      await shop.clients.product.query(
        `INSERT INTO holds SELECT id, '${shop.productId}', 1, 'SOLD' FROM ${given}`,
      )
      await shop.clients.product.query(
        `UPDATE products SET sold = ${count}, received = received + ${count}`,
      )
      return ids
    }
  })
})
