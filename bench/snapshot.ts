import { Client } from 'pg'

/** A purchase's lines, as the customer was shown them. */
export type Line = { product_id: string; quantity: number; unit_price: number }

/** Amounts are minor units as text: PostgreSQL's bigint. */
type Money = { amount: string; currency_code: string }

export type PurchaseRow = Money & { id: string; status: string; lines: Line[] }
export type OrderRow = Money & { id: string; status: string; lines: Line[]; age_ms: number }
export type PaymentRow = Money & { id: string; status: string }
export type LedgerRow = Money & { key: string; kind: string }
export type ProductRow = {
  id: string
  received: number
  stock: number
  held: number
  sold: number
}
export type HoldRow = {
  purchase_id: string
  product_id: string
  quantity: number
  status: string
  age_ms: number
}

/** What the services' databases and the provider's ledger say, each at its own moment. */
export type Snapshot = {
  purchases: PurchaseRow[]
  /** Read last, so that every order, payment and hold that was read finds its purchase here. */
  purchaseIds: string[]
  products: ProductRow[]
  holds: HoldRow[]
  orders: OrderRow[]
  payments: PaymentRow[]
  ledger: LedgerRow[]
}

export type SnapshotUrls = Record<'product' | 'order' | 'payment' | 'purchase', string>

const ageMs = (column: string) => `(extract(epoch FROM now() - ${column}) * 1000)::float8 AS age_ms`

const sql = {
  purchases: 'SELECT id, status, amount, currency_code, lines FROM purchases ORDER BY id',
  purchaseIds: 'SELECT id FROM purchases',
  products: 'SELECT id, received, stock, held, sold FROM products ORDER BY id',
  holds: `SELECT purchase_id, product_id, quantity, status, ${ageMs('updated_at')} FROM holds`,
  orders: `
    SELECT id, status, amount, currency_code, ${ageMs('created_at')},
      (SELECT coalesce(json_agg(json_build_object(
          'product_id', product_id, 'quantity', quantity, 'unit_price', unit_price)), '[]')
        FROM order_lines WHERE order_id = id) AS lines
    FROM orders`,
  payments: 'SELECT id, status, amount, currency_code FROM payments',
  ledger: 'SELECT key, kind, amount, currency_code FROM provider_ledger ORDER BY id',
}

/** Runs `read` in one snapshot of one database. */
async function reading<T>(url: string, read: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url })
  // A server that goes away says so here too; the query that it ended fails by itself.
  client.on('error', () => undefined)
  await client.connect()
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    return await read(client)
  } finally {
    await client.end()
  }
}

async function rows<T>(client: Client, text: string): Promise<T[]> {
  return (await client.query(text)).rows
}

/**
 * Reads all of it in bulk. Purchases come first: what the others say of one that has ended is then at least as new as
 * its end.
 */
export async function readSnapshot(urls: SnapshotUrls): Promise<Snapshot> {
  const purchases = await reading(urls.purchase, (db) => rows<PurchaseRow>(db, sql.purchases))
  const [stock, orders, money] = await Promise.all([
    reading(urls.product, async (db) => ({
      products: await rows<ProductRow>(db, sql.products),
      holds: await rows<HoldRow>(db, sql.holds),
    })),
    reading(urls.order, (db) => rows<OrderRow>(db, sql.orders)),
    reading(urls.payment, async (db) => ({
      payments: await rows<PaymentRow>(db, sql.payments),
      ledger: await rows<LedgerRow>(db, sql.ledger),
    })),
  ])
  const ids = await reading(urls.purchase, (db) => rows<{ id: string }>(db, sql.purchaseIds))
  return { purchases, purchaseIds: ids.map(({ id }) => id), orders, ...stock, ...money }
}

/** How many accepted purchases have no end yet. */
export async function countUnfinished(purchases: Client): Promise<number> {
  const { rows } = await purchases.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM purchases WHERE status IN ('ACCEPTED', 'PROCESSING')",
  )
  return rows[0]?.count ?? 0
}
