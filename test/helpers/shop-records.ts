import assert from 'node:assert/strict'
import { Client } from 'pg'
import { type CheckOptions, checkRecords } from '../../bench/checks.ts'
import type { Check } from '../../bench/findings.ts'
import { connectRecords, type Records } from '../../bench/records.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { createTestDatabase } from './database.ts'
import { startTestProvider, type TestProvider } from './provider.ts'

const names = ['product', 'order', 'payment', 'purchase'] as const
type Name = (typeof names)[number]
type Clients = Record<Name, Client>

const price = 125
const quantity = 4
/** What every planted purchase costs. */
export const amount = price * quantity
const inventory = 100
const customerId = newId()

/** What the services would have written, with what a test makes of it. */
export type Planted = {
  status?: string
  order?: string | null
  payment?: string | null
  ledger?: string[]
  hold?: string | null
}

/** A purchase that completed, and one that was undone after its payment. */
export const completed = {
  status: 'COMPLETED',
  order: 'CONFIRMED',
  payment: 'CAPTURED',
  ledger: ['CAPTURE'],
  hold: 'SOLD',
}
export const rejected = {
  status: 'REJECTED',
  order: 'CANCELLED',
  payment: 'REFUNDED',
  ledger: ['CAPTURE', 'REFUND'],
  hold: 'RELEASED',
}

export const referenceOf = (id: string) => `pi_${id.replaceAll('-', '')}`

/** The databases of a shop and its provider, in which tests plant what the reconciler reads. */
export async function openShopRecords() {
  await using opening = new AsyncDisposableStack()
  const opened = await Promise.all(
    names.map(async (name) => {
      const { url } = opening.adopt(await createTestDatabase(name), (open) => open.close())
      const client = opening.adopt(new Client({ connectionString: url }), (open) => open.end())
      await client.connect()
      return { name, url, client }
    }),
  )
  const clients = Object.fromEntries(opened.map(({ name, client }) => [name, client])) as Clients
  const urls = Object.fromEntries(opened.map(({ name, url }) => [name, url]))
  const provider = opening.adopt(await startTestProvider(), (open) => open.close())
  // What these refuse is what the reconciler must see all the same.
  await clients.product.query(`
    ALTER TABLE products DROP CONSTRAINT products_received_check, DROP CONSTRAINT products_stock_check`)

  const connect = () => connectRecords(urls as Record<Name, string>, provider)
  let records: Records = connect()
  opening.defer(() => records.close())
  let productId = newId()
  const inserts = createInserts(clients, provider, () => productId)

  async function plant({ status, order, payment, ledger = [], hold }: Planted): Promise<string> {
    const id = newId()
    if (status) await inserts.purchase(id, status)
    if (order) await inserts.order(id, order)
    if (payment) await inserts.payment(id, payment)
    inserts.ledger(id, ledger)
    if (hold) await inserts.hold(id, hold)
    return id
  }

  async function check(options?: CheckOptions): Promise<Check[]> {
    return (await checkRecords(records, options)).checks
  }

  const broken = async (options?: CheckOptions) => (await check(options)).filter(({ ok }) => !ok)

  const resources = opening.move()
  return {
    clients,
    provider,
    inserts,
    plant,
    check,
    get records() {
      return records
    },
    get productId() {
      return productId
    },

    /** Leaves nothing but one product, which nobody has bought, and reads all of it anew. */
    async reset(): Promise<void> {
      await records.close()
      productId = newId()
      await clients.product.query('TRUNCATE categories CASCADE')
      await clients.order.query('TRUNCATE orders CASCADE')
      await clients.payment.query('TRUNCATE payments CASCADE')
      await clients.purchase.query('TRUNCATE purchases CASCADE')
      provider.books.exec('DELETE FROM intents')
      records = connect()
      await inserts.product()
    },

    /** Every check holds. */
    async assertNoFinding(options?: CheckOptions): Promise<void> {
      assert.deepEqual(await broken(options), [])
    },

    /** Every check holds but the named one, which names the purchase and says this. */
    async assertOnly(name: string, purchaseId: string, says: RegExp, options?: CheckOptions) {
      const found = await broken(options)
      assert.deepEqual(
        found.map((one) => one.name),
        [name],
      )
      assert.deepEqual(found[0]?.purchaseIds, [purchaseId])
      assert.match(found[0]?.detail ?? '', says)
    },

    close: () => resources.disposeAsync(),
  }
}

export type ShopRecords = Awaited<ReturnType<typeof openShopRecords>>

/** The rows of one purchase of the product, as each service writes them. */
function createInserts(clients: Clients, provider: TestProvider, productId: () => string) {
  return {
    async product() {
      const categoryId = newId()
      await clients.product.query(`INSERT INTO categories VALUES ($1, 'Phone', 'Phones')`, [
        categoryId,
      ])
      await clients.product.query(
        `INSERT INTO products (id, category_id, account_id, name, description, brand_name, price, stock, received)
         VALUES ($1, $2, $3, 'Iphone 13', 'Iphone 13', 'Apple', $4, $5, $5)`,
        [productId(), categoryId, customerId, price, inventory],
      )
    },

    purchase: (id: string, status: string) =>
      clients.purchase.query(
        `INSERT INTO purchases (id, customer_id, body_hash, lines, amount, currency_code, payment_method, status)
         VALUES ($1, $2, '', $3, $4, 'VND', 'sim_ok', $5)`,
        [
          id,
          customerId,
          JSON.stringify([
            { product_id: productId(), quantity, name: 'Iphone 13', unit_price: price },
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
        productId(),
        quantity,
        price,
      ])
    },

    payment: (id: string, status: string) =>
      clients.payment.query(
        `INSERT INTO payments (id, customer_id, status, amount, currency_code, method, provider_reference)
         VALUES ($1, $2, $3, $4, 'VND', 'sim_ok', $5)`,
        [id, customerId, status, amount, referenceOf(id)],
      ),

    refund: (
      id: string,
      paymentId: string,
      { status, reference = null }: { status: string; reference?: string | null },
    ) =>
      clients.payment.query(
        `INSERT INTO refunds (id, payment_id, requested_by, idempotency_key, body_hash, amount, product_ids, reason,
           status, provider_reference) VALUES ($1::uuid, $2, 'lan', $1::uuid, '', $3, $4, 'Broken', $5, $6)`,
        [id, paymentId, amount, [productId()], status, reference],
      ),

    /** What the provider did: a refund is one of the capture before it. */
    ledger(id: string, kinds: readonly string[]) {
      const insert = provider.books.prepare(`
        INSERT INTO intents (id, amount, currency, status, metadata, charge, refunded, created)
        VALUES (?, ?, 'vnd', ?, ?, ?, ?, 0)`)
      const metadata = JSON.stringify({ purchase_id: id })
      const refunded = kinds.includes('REFUND') ? amount : 0
      for (const [index, kind] of kinds.filter((one) => one !== 'REFUND').entries()) {
        const reference = index === 0 ? referenceOf(id) : newId()
        const charge = kind === 'CAPTURE' ? `ch_${reference}` : null
        const status = kind === 'CAPTURE' ? 'succeeded' : 'canceled'
        insert.run(reference, amount, status, metadata, charge, refunded)
      }
    },

    async hold(id: string, status: string) {
      await clients.product.query('INSERT INTO holds VALUES ($1, $2, $3, $4)', [
        id,
        productId(),
        quantity,
        status,
      ])
      const column = { HELD: 'held', SOLD: 'sold' }[status]
      if (!column) return
      await clients.product.query(
        `UPDATE products SET stock = stock - $2, ${column} = ${column} + $2 WHERE id = $1`,
        [productId(), quantity],
      )
    },
  }
}
