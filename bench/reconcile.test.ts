import assert from 'node:assert/strict'
import { Client } from 'pg'
import { newId } from '../shared/ids.ts'
import { createTestDatabase, type TestDatabase } from '../test/helpers/database.ts'
import { type Check, checkSagas, checkSnapshot } from './checks.ts'
import type { Saga } from './sagas.ts'
import { readSnapshot } from './snapshot.ts'

const names = ['product', 'order', 'payment', 'purchase'] as const
type Name = (typeof names)[number]

const price = 125
const quantity = 4
const amount = price * quantity
const inventory = 100
const customerId = newId()

/** What the services would have written, with what a test makes of it. */
type Planted = {
  status?: string
  order?: string | null
  payment?: string | null
  ledger?: string[]
  hold?: string | null
}

const completed = {
  status: 'COMPLETED',
  order: 'CONFIRMED',
  payment: 'CAPTURED',
  ledger: ['CAPTURE'],
  hold: 'SOLD',
}
const rejected = {
  status: 'REJECTED',
  order: 'CANCELLED',
  payment: 'REFUNDED',
  ledger: ['CAPTURE', 'REFUND'],
  hold: 'RELEASED',
}

describe('reconcile', () => {
  let databases: Record<Name, TestDatabase>
  let clients: Record<Name, Client>
  let productId: string

  before(async () => {
    const made = await Promise.all(
      names.map(async (name) => [name, await createTestDatabase(name)]),
    )
    databases = Object.fromEntries(made)
    const connected = names.map(async (name) => {
      const client = new Client({ connectionString: databases[name].url })
      await client.connect()
      return [name, client]
    })
    clients = Object.fromEntries(await Promise.all(connected))
    // What these refuse is what the reconciler must see all the same.
    await clients.product.query(`
      ALTER TABLE products DROP CONSTRAINT products_received_check, DROP CONSTRAINT products_stock_check`)
    await clients.payment.query('DROP INDEX provider_ledger_key_kind_key')
  })

  after(async () => {
    await Promise.all(names.map((name) => clients[name].end()))
    await Promise.all(names.map((name) => databases[name].close()))
  })

  beforeEach(async () => {
    productId = newId()
    const categoryId = newId()
    await clients.product.query('TRUNCATE categories CASCADE')
    await clients.order.query('TRUNCATE orders CASCADE')
    await clients.payment.query('TRUNCATE payments, provider_ledger')
    await clients.purchase.query('TRUNCATE purchases CASCADE')
    await clients.product.query(`INSERT INTO categories VALUES ($1, 'Phone', 'Phones')`, [
      categoryId,
    ])
    await clients.product.query(
      `INSERT INTO products (id, category_id, account_id, name, description, brand_name, price, stock, received)
       VALUES ($1, $2, $3, 'Iphone 13', 'Iphone 13', 'Apple', $4, $5, $5)`,
      [productId, categoryId, customerId, price, inventory],
    )
  })

  const inserts = {
    purchase: (id: string, status: string) =>
      clients.purchase.query(
        `INSERT INTO purchases (id, customer_id, body_hash, lines, amount, currency_code, payment_method, status)
         VALUES ($1, $2, '', $3, $4, 'VND', 'sim_ok', $5)`,
        [
          id,
          customerId,
          JSON.stringify([
            { product_id: productId, quantity, name: 'Iphone 13', unit_price: price },
          ]),
          amount,
          status,
        ],
      ),

    async order(id: string, status: string) {
      await clients.order.query(
        `INSERT INTO orders (id, customer_id, status, amount, currency_code) VALUES ($1, $2, $3, $4, 'VND')`,
        [id, customerId, status, amount],
      )
      await clients.order.query(`INSERT INTO order_lines VALUES ($1, $2, 'Iphone 13', $3, $4)`, [
        id,
        productId,
        quantity,
        price,
      ])
    },

    payment: (id: string, status: string) =>
      clients.payment.query(
        `INSERT INTO payments (id, customer_id, status, amount, currency_code, method)
         VALUES ($1, $2, $3, $4, 'VND', 'sim_ok')`,
        [id, customerId, status, amount],
      ),

    ledger: (id: string, kind: string) =>
      clients.payment.query(
        `INSERT INTO provider_ledger (key, kind, amount, currency_code) VALUES ($1, $2, $3, 'VND')`,
        [id, kind, amount],
      ),

    async hold(id: string, status: string) {
      await clients.product.query('INSERT INTO holds VALUES ($1, $2, $3, $4)', [
        id,
        productId,
        quantity,
        status,
      ])
      const column = { HELD: 'held', SOLD: 'sold' }[status]
      if (!column) return
      await clients.product.query(
        `UPDATE products SET stock = stock - $2, ${column} = ${column} + $2 WHERE id = $1`,
        [productId, quantity],
      )
    },
  }

  async function plant({ status, order, payment, ledger = [], hold }: Planted): Promise<string> {
    const id = newId()
    if (status) await inserts.purchase(id, status)
    if (order) await inserts.order(id, order)
    if (payment) await inserts.payment(id, payment)
    for (const kind of ledger) await inserts.ledger(id, kind)
    if (hold) await inserts.hold(id, hold)
    return id
  }

  async function check(options?: { live: boolean }): Promise<Check[]> {
    const urls = Object.fromEntries(names.map((name) => [name, databases[name].url]))
    return checkSnapshot(await readSnapshot(urls as Record<Name, string>), options)
  }

  /** Every check holds but the named one, which names the purchase and says this. */
  async function assertOnly(
    name: string,
    purchaseId: string,
    says: RegExp,
    options?: { live: boolean },
  ) {
    const broken = (await check(options)).filter(({ ok }) => !ok)
    assert.deepEqual(
      broken.map((one) => one.name),
      [name],
    )
    assert.deepEqual(broken[0]?.purchaseIds, [purchaseId])
    assert.match(broken[0]?.detail ?? '', says)
  }

  it('passes a shop in which nothing was bought', async () => {
    assert.deepEqual(
      (await check()).filter(({ ok }) => !ok),
      [],
    )
  })

  it('passes what completed and every way to be undone', async () => {
    await plant(completed)
    await plant(rejected)
    await plant({ ...rejected, status: 'CANCELLED', payment: 'VOIDED', ledger: ['VOID'] })
    await plant({ ...rejected, payment: 'DECLINED', ledger: [] })
    await plant({ ...rejected, payment: null, ledger: [] })
    await plant({ status: 'REJECTED' })
    assert.deepEqual(
      (await check()).filter(({ ok }) => !ok),
      [],
    )
  })

  describe('stock', () => {
    const name = 'stock adds up'

    it('finds units that were received and are nowhere', async () => {
      const id = await plant(completed)
      await clients.product.query('UPDATE products SET received = received + 1')
      await assertOnly(name, id, /received 101 is not stock \+ held \+ sold/)
    })

    it('finds negative stock', async () => {
      const id = await plant(completed)
      await clients.product.query('UPDATE products SET stock = -1, received = 3')
      await assertOnly(name, id, /something is negative/)
    })

    it('finds sold stock without a hold', async () => {
      const id = await plant(completed)
      await clients.product.query('UPDATE products SET stock = stock - 1, sold = sold + 1')
      await assertOnly(name, id, /4 in SOLD holds/)
    })
  })

  describe('a completed purchase', () => {
    const name = 'completed: confirmed, captured, sold'

    it('needs its order', async () => {
      await assertOnly(name, await plant({ ...completed, order: null }), /order missing/)
    })

    it('needs its order CONFIRMED, though the payment is CAPTURED', async () => {
      await assertOnly(name, await plant({ ...completed, order: 'CANCELLED' }), /order CANCELLED/)
    })

    it('needs its payment CAPTURED, though the order is CONFIRMED', async () => {
      await assertOnly(name, await plant({ ...completed, payment: 'PENDING' }), /payment PENDING/)
    })

    it('needs the capture in the ledger', async () => {
      await assertOnly(name, await plant({ ...completed, ledger: [] }), /ledger empty/)
    })

    it('must not be refunded', async () => {
      const planted = { ...completed, ledger: ['CAPTURE', 'REFUND'] }
      await assertOnly(name, await plant(planted), /ledger CAPTURE REFUND/)
    })

    it('needs its stock sold', async () => {
      await assertOnly(name, await plant({ ...completed, hold: 'HELD' }), /holds HELD/)
    })

    it('needs all of its stock sold', async () => {
      const id = await plant(completed)
      await clients.product.query('UPDATE holds SET quantity = 3')
      await clients.product.query('UPDATE products SET sold = 3, stock = 97')
      await assertOnly(name, id, /holds are not the lines/)
    })
  })

  describe('an undone purchase', () => {
    const name = 'not completed: all undone'

    it('keeps no captured money', async () => {
      const planted = { ...rejected, payment: 'CAPTURED', ledger: ['CAPTURE'] }
      await assertOnly(
        name,
        await plant(planted),
        /payment CAPTURED, ledger CAPTURE without REFUND/,
      )
    })

    it('keeps no money that only the provider knows of', async () => {
      const planted = { ...rejected, payment: null, ledger: ['CAPTURE'] }
      await assertOnly(name, await plant(planted), /ledger CAPTURE without REFUND/)
    })

    it('has no refund that the provider does not know of', async () => {
      const id = await plant({ ...rejected, ledger: [] })
      await assertOnly(name, id, /payment REFUNDED but ledger empty/)
    })

    it('has no order left', async () => {
      await assertOnly(name, await plant({ ...rejected, order: 'PENDING' }), /order PENDING/)
      await clients.order.query(`UPDATE orders SET status = 'CONFIRMED'`)
      assert.match(
        (await check()).find((one) => one.name === name)?.detail ?? '',
        /order CONFIRMED/,
      )
    })

    it('has no stock left', async () => {
      await assertOnly(name, await plant({ ...rejected, hold: 'HELD' }), /holds HELD/)
    })
  })

  it('lets an operator answer for what could not be undone, but not for a confirmed order', async () => {
    const id = await plant({
      ...completed,
      status: 'RESOLVED',
      order: 'CANCELLED',
      hold: 'RELEASED',
    })
    assert.deepEqual(
      (await check()).filter(({ ok }) => !ok),
      [],
    )
    await clients.order.query(`UPDATE orders SET status = 'CONFIRMED'`)
    await assertOnly('not completed: all undone', id, /order CONFIRMED/)
  })

  describe('amounts', () => {
    const name = 'amounts and lines agree'

    for (const [what, database, sql, says] of [
      ['order', 'order', 'UPDATE orders SET amount = 1', /order 1 VND of 500 VND/],
      ['payment', 'payment', 'UPDATE payments SET amount = 2', /payment 2 VND of 500 VND/],
      ['ledger', 'payment', 'UPDATE provider_ledger SET amount = 3', /CAPTURE 3 VND of 500 VND/],
      ['currency', 'payment', `UPDATE payments SET currency_code = 'USD'`, /payment 500 USD/],
      ['order lines', 'order', 'UPDATE order_lines SET unit_price = 1', /order lines 4 VND/],
    ] as const) {
      it(`must not differ: ${what}`, async () => {
        const id = await plant(completed)
        await clients[database].query(sql)
        await assertOnly(name, id, says)
      })
    }

    it('must be the sum of the lines', async () => {
      const id = await plant(completed)
      await clients.purchase.query('UPDATE purchases SET amount = 499')
      await assertOnly(name, id, /lines 500 VND of 499 VND/)
    })
  })

  it('finds a second capture', async () => {
    const id = await plant({ ...completed, ledger: ['CAPTURE', 'CAPTURE'] })
    await assertOnly('one capture at most', id, /CAPTURE 2 times/)
  })

  it('finds an order, a payment, money and stock without a purchase', async () => {
    const { status: _, ...withoutPurchase } = completed
    const id = await plant(withoutPurchase)
    const says = /an order, a payment, a hold, a ledger entry and no purchase/
    await assertOnly('nothing without its purchase', id, says)
  })

  describe('what is in flight', () => {
    const processing = { ...completed, status: 'PROCESSING', order: 'PENDING', hold: 'HELD' }

    it('must have ended', async () => {
      const id = await plant(processing)
      await assertOnly('every accepted purchase has ended', id, /still PROCESSING/)
    })

    it('is no finding while the shop is at work', async () => {
      await plant(processing)
      await plant({ ...processing, status: 'COMPLETED' })
      assert.deepEqual(
        (await check({ live: true })).filter(({ ok }) => !ok),
        [],
      )
    })

    it('is a finding once it is overdue', async () => {
      const id = await plant({ ...processing, status: 'COMPLETED' })
      await clients.order.query(`UPDATE orders SET created_at = now() - interval '61 s'`)
      const says = /captured, order PENDING for a minute/
      await assertOnly('no settlement is overdue', id, says, { live: true })
    })
  })

  it('names each purchase once and no more than twenty lines', async () => {
    const ids: string[] = []
    for (let count = 0; count < 22; count++) ids.push(await plant({ status: 'ACCEPTED' }))
    const open = (await check()).find(({ ok }) => !ok)
    assert.deepEqual(open?.purchaseIds, ids)
    assert.equal(open?.detail.split('\n').length, 21)
    assert.match(open?.detail ?? '', /and 2 more$/)
  })

  describe('sagas', () => {
    const row = { id: newId(), status: 'COMPLETED', amount: '1', currency_code: 'VND', lines: [] }
    const withSaga = (saga: Saga, live = false) =>
      checkSagas([row], new Map([[row.id, saga]]), { live })

    it('pass when they returned what the purchase shows', () => {
      assert.equal(withSaga({ state: 'COMPLETED', result: 'COMPLETED' }).ok, true)
    })

    for (const [saga, says] of [
      [{ state: 'COMPLETED', result: 'REJECTED' }, /COMPLETED, saga returned REJECTED/],
      [{ state: 'FAILED' }, /saga FAILED/],
      [{ state: 'RUNNING' }, /saga RUNNING/],
      [{ state: 'missing' }, /saga missing/],
    ] satisfies [Saga, RegExp][]) {
      it(`are found when they did not: ${saga.result ?? saga.state}`, () => {
        const check = withSaga(saga)
        assert.deepEqual([check.ok, check.purchaseIds], [false, [row.id]])
        assert.match(check.detail, says)
      })
    }

    it('may still be closing while the shop is at work', () => {
      assert.equal(withSaga({ state: 'RUNNING' }, true).ok, true)
    })
  })
})
