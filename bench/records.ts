import { Pool } from 'pg'
import { nilId } from '../shared/contracts/ids.ts'
import { connectProviderLedger, type LedgerRow, type ProviderAddress } from './provider-ledger.ts'

/** A purchase's lines, as the customer was shown them. */
export type Line = { product_id: string; quantity: number; unit_price: number }

/** Amounts are minor units as text: PostgreSQL's bigint. */
type Money = { amount: string; currency_code: string }

export type PurchaseRow = Money & { id: string; status: string; lines: Line[]; refunded: string }
export type OrderRow = Money & { id: string; status: string; lines: Line[]; age_ms: number }
export type PaymentRow = Money & {
  id: string
  status: string
  reference: string | null
  /** What refunds gave back, by the payment itself. */
  refunded: string
  /** Read in the same moment. */
  refunds: RefundRow[]
}
export type RefundRow = {
  id: string
  status: string
  amount: number
  /** Whether the provider gave it back. */
  returned: boolean
  /** What goes back into the free stock. */
  product_ids: string[]
}
export type HoldRow = {
  purchase_id: string
  product_id: string
  quantity: number
  status: string
  age_ms: number
}

/** Everything that is stored under the id of one purchase. Without `purchase`, the rest belongs to nothing. */
export type PurchaseRecords = {
  id: string
  purchase: PurchaseRow | undefined
  order: OrderRow | undefined
  payment: PaymentRow | undefined
  ledger: LedgerRow[]
  holds: HoldRow[]
}

/** A product whose counts contradict each other or its holds; `buyers` names some of those that hold it. */
export type WrongProduct = {
  id: string
  received: number
  stock: number
  held: number
  sold: number
  held_in_holds: number
  sold_in_holds: number
  buyers: string[]
}

/** `wrong` counts all wrong products, of which `examples` are the first. */
export type Stock = { products: number; holds: number; wrong: number; examples: WrongProduct[] }

export type RecordUrls = Record<'product' | 'order' | 'payment' | 'purchase', string>
export type Records = ReturnType<typeof connectRecords>

/** Ids in their order, from one exclusive to another inclusive; or some ids, in no order. */
type Scope = { after: string; upTo?: string | undefined } | { ids: string[] }

/** What a payment's status says about the provider's ledger. A payment that is PENDING says nothing. */
export const ledgerKinds: Record<string, string> = {
  CAPTURED: 'CAPTURE',
  DECLINED: 'VOID',
  REFUNDED: 'CAPTURE REFUND',
  VOIDED: 'VOID',
}

/** Purchases read at once. One with 100 lines and long names takes 100 kB. */
const batchSize = 500
/** To each database: a batch is read while another is checked. */
const connections = 2
const maxExamples = 20
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const ageMs = (column: string) => `(extract(epoch FROM now() - ${column}) * 1000)::float8 AS age_ms`

const sql = {
  purchases:
    'SELECT id, status, amount, currency_code, lines, refunded_amount AS refunded FROM purchases',
  orders: `
    SELECT id, status, amount, currency_code, ${ageMs('created_at')},
      (SELECT coalesce(json_agg(json_build_object(
          'product_id', product_id, 'quantity', quantity, 'unit_price', unit_price)), '[]')
        FROM order_lines WHERE order_id = id) AS lines
    FROM orders`,
  payments: `
    SELECT id, status, amount, currency_code, provider_reference AS reference, refunded_amount AS refunded,
      (SELECT coalesce(json_agg(json_build_object('id', id, 'status', status, 'amount', amount,
          'returned', provider_reference IS NOT NULL, 'product_ids', product_ids)), '[]')
        FROM refunds WHERE payment_id = payments.id) AS refunds
    FROM payments`,
  holds: `SELECT purchase_id, product_id, quantity, status, ${ageMs('updated_at')} FROM holds`,
  // One statement, and so one moment: every move of stock changes product and hold in one transaction.
  stock: `
    WITH in_holds AS (
      SELECT product_id, count(*) AS holds,
        coalesce(sum(quantity) FILTER (WHERE status = 'HELD'), 0)::float8 AS held,
        coalesce(sum(quantity) FILTER (WHERE status = 'SOLD'), 0)::float8 AS sold
      FROM holds GROUP BY product_id
    ), counted AS (
      SELECT id, received, stock, products.held, products.sold,
        coalesce(in_holds.held, 0) AS held_in_holds, coalesce(in_holds.sold, 0) AS sold_in_holds,
        coalesce(holds, 0) AS holds
      FROM products LEFT JOIN in_holds ON product_id = id
    ), wrong AS (
      SELECT * FROM counted
      WHERE received <> stock::bigint + held + sold OR least(received, stock, held, sold) < 0
        OR held <> held_in_holds OR sold <> sold_in_holds
    ), examples AS (
      SELECT *, ARRAY(SELECT DISTINCT purchase_id FROM holds WHERE product_id = wrong.id
        ORDER BY purchase_id LIMIT ${maxExamples}) AS buyers
      FROM wrong ORDER BY id LIMIT ${maxExamples}
    )
    SELECT (SELECT count(*)::float8 FROM counted) AS products, (SELECT coalesce(sum(holds), 0)::float8 FROM counted) AS holds,
      (SELECT count(*)::float8 FROM wrong) AS wrong, (SELECT coalesce(json_agg(examples), '[]') FROM examples) AS examples`,
}

/**
 * Reads the databases of a shop and its provider's list. It only reads, and keeps no more than a batch in memory. For
 * one check at a time: `batches` renews the copy of the provider's list, from which a second check would read as well.
 */
export function connectRecords(urls: RecordUrls, provider: ProviderAddress) {
  const pools: Pool[] = []
  const connect = (url: string) => {
    const pool = new Pool({
      connectionString: url,
      max: connections,
      options: '-c default_transaction_read_only=on',
    })
    // A server that ends an idle connection is reported here; a query fails on its own.
    pool.on('error', () => undefined)
    pools.push(pool)
    return pool
  }
  const ledger = connectProviderLedger(provider)
  const product = connect(urls.product)
  const order = connect(urls.order)
  const payment = connect(urls.payment)
  const purchase = connect(urls.purchase)

  /** What belongs to purchases that were read before: it is at least as new as they are. */
  async function join(purchases: PurchaseRow[], scope: Scope): Promise<PurchaseRecords[]> {
    const [orders, holds, payments] = await Promise.all([
      rows<OrderRow>(order, sql.orders, 'id', scope),
      rows<HoldRow>(product, sql.holds, 'purchase_id', scope),
      rows<PaymentRow>(payment, sql.payments, 'id', scope),
    ])
    const entries = await ledgerOf(payments, scope)
    const found = new Map<string, PurchaseRecords>()
    const of = (id: string) => {
      const known = found.get(id)
      if (known) return known
      const fresh = { id, purchase: undefined, order: undefined, payment: undefined }
      const records: PurchaseRecords = { ...fresh, ledger: [], holds: [] }
      found.set(id, records)
      return records
    }
    for (const row of purchases) of(row.id).purchase = row
    for (const row of orders) of(row.id).order = row
    for (const row of payments) of(row.id).payment = row
    for (const row of holds) of(row.purchase_id).holds.push(row)
    for (const row of entries) of(row.key).ledger.push(row)
    return [...found.values()]
  }

  /** What the provider says. Where its list contradicts a payment it may be older, and the provider is asked again. */
  async function ledgerOf(payments: PaymentRow[], scope: Scope): Promise<LedgerRow[]> {
    // Text that is no id comes before or after all ids, or between two.
    const bounds = 'ids' in scope || scope.after !== nilId ? scope : { upTo: scope.upTo }
    const byReference = Map.groupBy(ledger.select(bounds), ({ reference }) => reference)
    const doubtful = payments.flatMap(({ status, reference, refunded }) => {
      const entries = byReference.get(reference ?? '') ?? []
      const listed = entries.map(({ kind }) => kind).join(' ')
      const returned = entries.find(({ kind }) => kind === 'REFUND')?.amount ?? '0'
      const isPart = status === 'CAPTURED' && refunded !== '0'
      const expected = isPart ? 'CAPTURE REFUND' : ledgerKinds[status]
      const fits = listed === expected && (!isPart || returned === refunded)
      return reference && !fits ? [reference] : []
    })
    await ledger.renew(doubtful)
    return ledger.select(bounds)
  }

  async function readBatch(
    after: string,
  ): Promise<{ records: PurchaseRecords[]; last: string | undefined }> {
    const text = `${sql.purchases} WHERE id > $1 ORDER BY id LIMIT ${batchSize}`
    const { rows: purchases } = await purchase.query<PurchaseRow>(text, [after])
    const last: string | undefined =
      purchases.length === batchSize ? purchases.at(-1)?.id : undefined
    return { records: await join(purchases, { after, upTo: last }), last }
  }

  return {
    /**
     * All that is stored, in the order of purchase ids, in batches: each is read once the one before it has been
     * requested. A batch also has what lies between its purchases and belongs to none.
     */
    async *batches(): AsyncGenerator<PurchaseRecords[]> {
      await ledger.refresh()
      let next: ReturnType<typeof readBatch> | undefined = readBatch(nilId)
      while (next) {
        const { records, last }: Awaited<typeof next> = await next
        next = last === undefined ? undefined : readBatch(last)
        // A reader that stops early does not wait for it.
        next?.catch(() => undefined)
        yield records
      }
    },

    /** Reads the provider's list, as the first batch does; `read` alone asks for nothing that is new in it. */
    refreshLedger: (): Promise<void> => ledger.refresh(),

    /** What is stored under these ids now. */
    async read(ids: string[]): Promise<PurchaseRecords[]> {
      const scope = { ids }
      return join(await rows<PurchaseRow>(purchase, sql.purchases, 'id', scope), scope)
    },

    async readStock(): Promise<Stock> {
      const { rows: found } = await product.query<Stock>(sql.stock)
      return found[0] ?? { products: 0, holds: 0, wrong: 0, examples: [] }
    },

    async countPurchases(): Promise<number> {
      const { rows: found } = await purchase.query(
        'SELECT count(*)::float8 AS count FROM purchases',
      )
      return found[0].count
    },

    /** How many accepted purchases have no end yet. */
    async countUnfinished(): Promise<number> {
      const { rows: found } = await purchase.query(
        "SELECT count(*)::int AS count FROM purchases WHERE status IN ('ACCEPTED', 'PROCESSING')",
      )
      return found[0].count
    },

    /** How many refunds have not ended. */
    async countOpenRefunds(): Promise<number> {
      const { rows: found } = await payment.query(
        "SELECT count(*)::int AS count FROM refunds WHERE status IN ('REQUESTED', 'PROCESSING')",
      )
      return found[0].count
    },

    /** How many refunds have ended, and those of the highest ids, with how. */
    async endedRefunds(
      maxLatest: number,
    ): Promise<{ ended: number; latest: { id: string; status: string; purchaseId: string }[] }> {
      const { rows: found } = await payment.query(
        `SELECT id, status, payment_id AS "purchaseId", count(*) OVER ()::float8 AS ended FROM refunds
        WHERE status NOT IN ('REQUESTED', 'PROCESSING') ORDER BY id DESC LIMIT $1`,
        [maxLatest],
      )
      const latest = found.map(({ ended: _, ...refund }) => refund)
      return { ended: found[0]?.ended ?? 0, latest }
    },

    /** Those of these refunds that exist, with their status. */
    refundStatusesOf: (ids: string[]) => statusesOf(payment, 'refunds', ids),

    /** Those of these purchases that exist, with their status. */
    statusesOf: (ids: string[]) => statusesOf(purchase, 'purchases', ids),

    async close(): Promise<void> {
      ledger.close()
      await Promise.all(pools.map((pool) => pool.end()))
    },
  }
}

async function statusesOf(pool: Pool, table: string, ids: string[]): Promise<Map<string, string>> {
  const text = `SELECT id, status FROM ${table}`
  const found = await rows<{ id: string; status: string }>(pool, text, 'id', { ids })
  return new Map(found.map(({ id, status }) => [id, status]))
}

async function rows<T>(pool: Pool, select: string, column: string, scope: Scope): Promise<T[]> {
  if ('ids' in scope) {
    // A ledger key may be anything.
    const ids = scope.ids.filter((id) => uuid.test(id))
    return (await pool.query(`${select} WHERE ${column} = ANY($1::uuid[])`, [ids])).rows as T[]
  }
  const { after, upTo } = scope
  const bounds = [after, ...(upTo === undefined ? [] : [upTo])]
  const until = upTo === undefined ? '' : ` AND ${column} <= $2`
  return (await pool.query(`${select} WHERE ${column} > $1${until}`, bounds)).rows as T[]
}
