import assert from 'node:assert/strict'
import type { Database } from '../../prisma/databases.ts'
import * as media from '../../services/media/repository.ts'
import * as order from '../../services/order/repository.ts'
import * as payment from '../../services/payment/repository.ts'
import * as product from '../../services/product/repository.ts'
import * as purchase from '../../services/purchase/repository.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/database.ts'

const rows = 60_000
const mine = newId()
const other = newId()
/** Time-ordered ids, one a minute up to now: every second row belongs to one customer, and one in 100 is rare. */
const generated = `
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000'
      || lpad(to_hex(i), 12, '0'))::uuid AS id, at,
    CASE WHEN i % 2 = 0 THEN '${mine}' ELSE '${other}' END::uuid AS owner, i % 100 = 0 AS rare
  FROM generate_series(1, ${rows}) AS i, LATERAL (SELECT now() - (${rows} - i) * interval '1 minute' AS at) AS time`

const now = Date.now()
const daysAgo = (days: number) => new Date(now - days * 24 * 60 * 60_000).toISOString()
const page = { limit: 20 }
const ranges = [
  page,
  { ...page, created_from: daysAgo(20), created_to: daysAgo(19) },
  { ...page, created_to: daysAgo(30) },
  { ...page, created_from: daysAgo(3) },
]

type Opened = { close(): Promise<void> }
type Listing<R extends Opened> = {
  table: string
  insert: string
  /** After that, for tables that depend on it. */
  dependents?: string
  connect: (config: { DATABASE_URL: string; DATABASE_POOL_SIZE: number }) => Promise<R>
  /** Every way to ask for it, by name. */
  pages: (repository: R) => Record<string, () => Promise<{ length: number }>>
}

/** The ways to ask for a list, in every range. */
function inRanges<T>(waysIn: (range: (typeof ranges)[number]) => Record<string, T>) {
  const ways = ranges.flatMap((range) =>
    Object.entries(waysIn(range)).map(
      ([name, ask]) => [`${name} ${JSON.stringify(range)}`, ask] as const,
    ),
  )
  return Object.fromEntries(ways)
}

function listing<R extends Opened>({ table, insert, dependents, connect, pages }: Listing<R>) {
  return {
    table,
    insert,
    dependents,
    /** Asks in each way over connections that end then: a connection hands in its statistics when it ends. */
    async *ask(url: string) {
      const open = () => connect({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 })
      const names = await open().then(async (repository) => {
        await repository.close()
        return Object.keys(pages(repository))
      })
      for (const name of names) {
        const repository = await open()
        const page = await pages(repository)[name]?.()
        await repository.close()
        yield { name, length: page?.length ?? 0 }
      }
    },
  }
}

const listings: Partial<Record<Database, ReturnType<typeof listing>>> = {
  order: listing({
    table: 'orders',
    insert: `INSERT INTO orders (id, customer_id, status, amount, currency_code, created_at)
      SELECT id, owner, CASE WHEN rare THEN 'CANCELLED' ELSE 'CONFIRMED' END, 1, 'VND', at FROM generated`,
    connect: order.connectRepository,
    pages: (repository) =>
      inRanges((range) => ({
        all: () => repository.listOrders(mine, range),
        'of a status': () => repository.listOrders(mine, { ...range, status: 'CANCELLED' }),
      })),
  }),
  payment: listing({
    table: 'payments',
    insert: `INSERT INTO payments (id, customer_id, status, amount, currency_code, method, created_at)
      SELECT id, owner, CASE WHEN rare THEN 'DECLINED' ELSE 'CAPTURED' END, 1, 'VND', 'sim_ok', at FROM generated`,
    connect: payment.connectRepository,
    pages: (repository) =>
      inRanges((range) => ({
        all: () => repository.listPayments(mine, range),
        'of a status': () => repository.listPayments(mine, { ...range, status: 'DECLINED' }),
      })),
  }),
  purchase: listing({
    table: 'purchases',
    insert: `INSERT INTO purchases (id, customer_id, body_hash, lines, amount, currency_code, payment_method,
        status, released_at, published_at, created_at)
      SELECT id, owner, '', '[]', 1, 'VND', 'sim_ok', CASE WHEN rare THEN 'REJECTED' ELSE 'COMPLETED' END,
        at, at, at FROM generated`,
    dependents: `INSERT INTO sales (seller_id, purchase_id, product_ids, ended_as)
      SELECT customer_id, id, '{}', NULLIF(status, 'COMPLETED') FROM purchases`,
    connect: purchase.connectRepository,
    pages: (repository) =>
      inRanges((range) => ({
        all: () => repository.listOwn(mine, range),
        'of a status': () => repository.listOwn(mine, { ...range, status: 'REJECTED' }),
        'as sales': () => repository.listSales(mine, range),
        'as sales of a status': () => repository.listSales(mine, { ...range, status: 'REJECTED' }),
        'as sales that completed': () =>
          repository.listSales(mine, { ...range, status: 'COMPLETED' }),
      })),
  }),
  product: listing({
    table: 'products',
    insert: `WITH category AS (INSERT INTO categories (id, name, description) VALUES ('${mine}', 'c', 'c'))
      INSERT INTO products (id, category_id, account_id, name, description, brand_name, price, stock, received, created_at,
        withdrawn_at)
      SELECT id, '${mine}', owner, 'tea', 'tea', 'tea', 1, 0, 0, at, CASE WHEN rare THEN at END FROM generated`,
    connect: product.connectRepository,
    pages: (repository) =>
      inRanges((range) => ({
        all: () => repository.listProducts({ ...range, withdrawn: false }),
        'of a seller': () =>
          repository.listProducts({ ...range, withdrawn: false, accountId: mine }),
        'of a category': () =>
          repository.listProducts({ ...range, withdrawn: false, categoryId: mine }),
        'with a word': () => repository.listProducts({ ...range, withdrawn: false, text: 'tea' }),
        own: () => repository.listProducts({ ...range, accountId: mine }),
        'own withdrawn': () =>
          repository.listProducts({ ...range, accountId: mine, withdrawn: true }),
      })),
  }),
  media: listing({
    table: 'media',
    insert: `INSERT INTO media (id, product_id, account_id, kind, content_type, size_bytes, checksum, alt, object_key, created_at)
      SELECT id, owner, owner, 'image', 'image/png', 1, '', '', id::text, at FROM generated`,
    connect: media.connectRepository,
    pages: (repository) =>
      inRanges((range) => ({ all: () => repository.list({ ...range, product_id: mine }) })),
  }),
}

async function scans(database: TestDatabase, table: string) {
  const [row] = await database.query(
    `SELECT seq_scan::int AS sequential, idx_scan::int AS by_index FROM pg_stat_user_tables WHERE relname = '${table}'`,
  )
  return row as { sequential: number; by_index: number }
}

describe('a list', function () {
  this.timeout(240_000)

  for (const [name, { table, insert, dependents, ask }] of Object.entries(listings)) {
    it(`of ${table} reads no more than its index has for it, whatever the filter`, async () => {
      await using database = await openDatabase(name as Database)
      await database.query(insert.replace('FROM generated', `FROM (${generated}) AS generated`))
      if (dependents) await database.query(dependents)
      await database.query('ANALYZE')
      let before = await scans(database, table)
      const sequential: string[] = []

      for await (const page of ask(database.url)) {
        assert.ok(page.length > 0, page.name)
        const after = await waitFor('the statistics', async () => {
          const now = await scans(database, table)
          return (now.by_index > before.by_index || now.sequential > before.sequential) && now
        })
        if (after.sequential > before.sequential) sequential.push(page.name)
        before = after
      }

      assert.deepEqual(sequential, [])
    })
  }
})

async function openDatabase(name: Database) {
  const database = await createTestDatabase(name)
  return { ...database, [Symbol.asyncDispose]: database.close }
}
