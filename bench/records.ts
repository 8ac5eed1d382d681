import { Pool } from 'pg'
import { commandId, nilId } from '../shared/contracts/ids.ts'
import { commandSteps } from '../shared/contracts/steps.ts'
import { connectProviderLedger, type LedgerRow, type ProviderAddress } from './provider-ledger.ts'
import { sql } from './record-queries.ts'

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
  /** The undo of a payment that nobody had seen: payment has no row of it, and takes none any more. */
  hasTombstone: boolean
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
const takePayment = commandSteps.takePayment.step
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

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
    const known = new Set(payments.map(({ id }) => id))
    const unseen = await tombstonesOf(
      entries.map(({ key }) => key).filter((key) => !known.has(key)),
    )
    const found = new Map<string, PurchaseRecords>()
    const of = (id: string) => {
      const earlier = found.get(id)
      if (earlier) return earlier
      const records: PurchaseRecords = {
        ...{ id, purchase: undefined, order: undefined, payment: undefined, ledger: [], holds: [] },
        hasTombstone: unseen.has(commandId(id, takePayment)),
      }
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

  /** Those of these purchases whose payment was undone before it was begun, as ids of the command. */
  async function tombstonesOf(ids: string[]): Promise<Set<string>> {
    if (ids.length === 0) return new Set()
    const { rows: found } = await payment.query<{ command_id: string }>(
      'SELECT command_id FROM inbox WHERE undone AND command_id = ANY($1)',
      [ids.map((id) => commandId(id, takePayment))],
    )
    return new Set(found.map(({ command_id }) => command_id))
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
