// CHECK constraints are written by hand in the migrations: schema.prisma cannot say them, so no diff
// would notice that one is gone.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { type Database, databases } from './databases.ts'
import { migrate } from './migrate.ts'
import { createScratchDatabase } from './scratch-database.ts'

const adminUrl = process.env.TEST_POSTGRES_URL ?? ''

type Row = Record<string, unknown>

const product = (overrides: Row = {}) => ({
  id: randomUUID(),
  category_id: randomUUID(),
  account_id: randomUUID(),
  name: 'Tea',
  description: 'Green',
  brand_name: 'Leaf',
  price: 1,
  stock: 5,
  held: 2,
  sold: 3,
  received: 10,
  ...overrides,
})
const hold = (overrides: Row = {}) => ({
  purchase_id: randomUUID(),
  product_id: randomUUID(),
  quantity: 1,
  status: 'HELD',
  ...overrides,
})
const restock = (overrides: Row = {}) => ({
  product_id: randomUUID(),
  idempotency_key: 'key',
  quantity: 1,
  ...overrides,
})
const order = (overrides: Row = {}) => ({
  id: randomUUID(),
  customer_id: randomUUID(),
  status: 'PENDING',
  amount: 1,
  currency_code: 'VND',
  ...overrides,
})
const orderLine = (overrides: Row = {}) => ({
  order_id: randomUUID(),
  product_id: randomUUID(),
  name: 'Tea',
  quantity: 1,
  unit_price: 1,
  ...overrides,
})
const payment = (overrides: Row = {}) => ({ ...order(), method: 'sim_ok', ...overrides })
const purchase = (overrides: Row = {}) => ({
  ...order(),
  body_hash: 'hash',
  lines: '[]',
  payment_method: 'sim_ok',
  status: 'ACCEPTED',
  ...overrides,
})
const account = (overrides: Row = {}) => ({
  id: randomUUID(),
  email: 'an@example.com',
  password_hash: 'hash',
  first_name: 'An',
  last_name: 'Nguyen',
  address: 'Hue',
  phone_number: '1',
  ...overrides,
})
const emailCode = (overrides: Row = {}) => ({
  account_id: randomUUID(),
  kind: 'verify',
  code_hash: 'hash',
  expires_at: new Date(),
  ...overrides,
})
const media = (overrides: Row = {}) => ({
  id: randomUUID(),
  product_id: randomUUID(),
  account_id: randomUUID(),
  kind: 'image',
  content_type: 'image/png',
  size_bytes: 1,
  checksum: 'hash',
  alt: '',
  object_key: 'key',
  ...overrides,
})

const refund = (overrides: Row = {}) => ({
  id: randomUUID(),
  payment_id: randomUUID(),
  requested_by: 'lan',
  idempotency_key: 'key',
  body_hash: 'hash',
  amount: 1,
  product_ids: '{}',
  reason: 'Broken',
  status: 'REQUESTED',
  ...overrides,
})

/** Rows by the constraint that refuses them. */
const refused: Record<Database, Record<string, [table: string, row: Row]>> = {
  account: {
    accounts_email_check: ['accounts', account({ email: 'An@example.com' })],
    email_codes_kind_check: ['email_codes', emailCode({ kind: 'login' })],
    mailed_codes_kind_check: ['mailed_codes', { ...emailCode({ kind: 'login' }), asked_by: '' }],
  },
  product: {
    products_price_check: ['products', product({ price: 0 })],
    products_stock_check: ['products', product({ stock: -1, received: 4 })],
    products_held_check: ['products', product({ held: -1, received: 7 })],
    products_sold_check: ['products', product({ sold: -1, received: 6 })],
    products_received_check: ['products', product({ received: 11 })],
    holds_quantity_check: ['holds', hold({ quantity: 0 })],
    holds_status_check: ['holds', hold({ status: 'held' })],
    restocks_quantity_check: ['restocks', restock({ quantity: 0 })],
    stock_adjustments_quantity_check: [
      'stock_adjustments',
      { ...restock({ quantity: 0 }), id: randomUUID(), reason: 'Broken' },
    ],
  },
  order: {
    orders_status_check: ['orders', order({ status: 'PAID' })],
    orders_amount_check: ['orders', order({ amount: 0 })],
    orders_currency_code_check: ['orders', order({ currency_code: 'vnd' })],
    order_lines_quantity_check: ['order_lines', orderLine({ quantity: 0 })],
    order_lines_unit_price_check: ['order_lines', orderLine({ unit_price: 0 })],
  },
  payment: {
    payments_status_check: ['payments', payment({ status: 'PAID' })],
    payments_amount_check: ['payments', payment({ amount: 0 })],
    payments_currency_code_check: ['payments', payment({ currency_code: 'VN' })],
    payments_refunds_check: ['payments', payment({ refunds_claimed: 1_000_000_000_000 })],
    refunds_amount_check: ['refunds', refund({ amount: 0 })],
    refunds_status_check: ['refunds', refund({ status: 'DONE' })],
    provider_events_outcome_check: [
      'provider_events',
      { id: 'evt_1', type: 'charge.refunded', outcome: 'NEW', created_at: new Date() },
    ],
  },
  media: {
    media_kind_check: ['media', media({ kind: 'audio' })],
    pending_media_kind_check: ['pending_media', { id: randomUUID(), kind: 'audio' }],
  },
  purchase: {
    purchases_status_check: ['purchases', purchase({ status: 'PENDING' })],
    purchases_amount_check: ['purchases', purchase({ amount: 0 })],
    purchases_currency_code_check: ['purchases', purchase({ currency_code: 'VNDD' })],
  },
}

describe('constraints', () => {
  for (const db of databases) {
    it(`of ${db} refuse the rows that they are there to refuse`, async () => {
      assert.ok(adminUrl, 'TEST_POSTGRES_URL must name a role that may create databases')
      const scratch = await createScratchDatabase(adminUrl)
      const client = new pg.Client({ connectionString: scratch.url })
      try {
        await migrate(db, scratch.url)
        await client.connect()

        for (const [constraint, [table, row]] of Object.entries(refused[db])) {
          await assert.rejects(insert(client, table, row), { code: '23514', constraint })
        }

        assert.deepEqual(await checkConstraints(client), Object.keys(refused[db]).sort())
      } finally {
        await client.end()
        await scratch.close()
      }
    })
  }
})

async function insert(client: pg.Client, table: string, row: Row): Promise<void> {
  const columns = Object.keys(row)
  const values = columns.map((_, i) => `$${i + 1}`)
  await client.query(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${values.join(', ')})`,
    Object.values(row),
  )
}

/** Those of tables; a domain is no place for rows. */
async function checkConstraints(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ conname: string }>(
    "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0 AND connamespace = 'public'::regnamespace",
  )
  return rows.map((row) => row.conname).sort()
}
