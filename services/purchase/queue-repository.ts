import type { Prisma, PrismaClient } from '../../prisma/purchase/client/client.ts'
import type { PurchaseAccepted } from '../../shared/contracts/events.ts'
import type { PurchaseDelivery } from '../../shared/contracts/purchase.ts'
import { sql } from '../../shared/database/sql.ts'

export type NewPurchase = {
  accepted: PurchaseAccepted
  delivery: PurchaseDelivery
  /** Which products are whose. */
  sales: { seller_id: string; product_ids: string[] }[]
  idempotencyKey: string | null
  bodyHash: string
}

/** How many sagas may be in progress: of one customer, and of all. A purchase counts for `countedForMs` at most. */
export type StartLimits = { perCustomer: number; inAll: number; countedForMs: number }

/**
 * What became of a purchase that was to be stored: `released`, and its event is to be published; `queued`, and it waits
 * for its turn; `known`: its idempotency key was used before; `refused`: the customer has too many unfinished ones.
 */
export type Insertion = 'released' | 'queued' | 'known' | 'refused'

/** A purchase whose turn it is. */
export type Released = { accepted: PurchaseAccepted; cancelRequested: boolean }
type ReleasedRow = PurchaseAccepted & { cancel_requested: boolean }

/** Accepted, and not ended. */
const unfinished = sql`status IN ('ACCEPTED', 'PROCESSING')`
/** Waits for its turn. */
const queued = sql`released_at IS NULL AND published_at IS NULL AND status = 'ACCEPTED'`
/** Its saga is in progress. */
const started = ({ countedForMs }: StartLimits) =>
  sql`${unfinished} AND released_at > now() - make_interval(secs => ${countedForMs / 1_000})`
/** How many purchases there are, counted to `limit` and no further. */
const countOf = (condition: Prisma.Sql, limit: number | Prisma.Sql) =>
  sql`(SELECT count(*) FROM (SELECT FROM purchases WHERE ${condition} LIMIT ${limit}::int) AS counted)`

/*
 * The rows are the queue. A purchase without `released_at` waits for its turn, one with it counts as started until it
 * has ended. Each count stops at its limit, so a statement reads no more index entries than the limits say, however
 * many rows there are. So counts stand where EXISTS would do, for which PostgreSQL hashes the whole queue; and where
 * chosen rows are locked, `released_at` is the only condition, since the index of the queue would be read as a whole.
 * Replicas may count at the same moment, and then start a few more than the limits.
 */
export function createQueue(prisma: PrismaClient) {
  return {
    /**
     * Stores purchases, in turns between their customers, as far as each has fewer than `maxUnfinished`. Those that may
     * start at once are released.
     */
    async insert(
      purchases: NewPurchase[],
      maxUnfinished: number,
      limits: StartLimits,
    ): Promise<Map<string, Insertion>> {
      const given = purchases.map(({ accepted, delivery, sales, idempotencyKey, bodyHash }) => ({
        ...accepted,
        delivery,
        sales,
        idempotency_key: idempotencyKey,
        body_hash: bodyHash,
      }))
      const rows = await prisma.$queryRaw<{ id: string; became: Insertion }[]>`
        WITH given AS MATERIALIZED (
          SELECT * FROM jsonb_to_recordset(${JSON.stringify(given)}::jsonb) AS given (purchase_id uuid,
            customer_id uuid, idempotency_key text, body_hash text, lines jsonb, amount bigint,
            currency_code text, payment_method text, delivery jsonb, sales jsonb)
        ), customers AS MATERIALIZED (
          SELECT customer_id,
            ${countOf(sql`customer_id = customer.customer_id AND ${unfinished}`, maxUnfinished)} AS unfinished,
            ${countOf(sql`customer_id = customer.customer_id AND ${started(limits)}`, limits.perCustomer)} AS started,
            ${countOf(sql`customer_id = customer.customer_id AND ${queued}`, sql`1`)} AS waiting
          FROM (SELECT DISTINCT customer_id FROM given) AS customer
        ), turns AS MATERIALIZED (
          SELECT given.*, unfinished, waiting = 0 AND started + row_number() OVER theirs <= ${limits.perCustomer}
            AS may_start, row_number() OVER theirs AS turn
          FROM given JOIN customers USING (customer_id)
          WINDOW theirs AS (PARTITION BY customer_id ORDER BY purchase_id)
        ), room AS MATERIALIZED (
          SELECT ${limits.inAll}::int - ${countOf(started(limits), limits.inAll)} AS free
        ), admitted AS (
          SELECT turns.*, may_start AND free >= row_number()
            OVER (PARTITION BY may_start ORDER BY turn, purchase_id) AS starts
          FROM turns, room WHERE unfinished + turn <= ${maxUnfinished}
        ), stored AS (
          INSERT INTO purchases (id, customer_id, idempotency_key, body_hash, lines, amount,
            currency_code, payment_method, delivery, status, released_at, updated_at)
          SELECT purchase_id, customer_id, idempotency_key, body_hash, lines, amount, currency_code,
            payment_method, delivery, 'ACCEPTED', CASE WHEN starts THEN now() END, now()
          FROM admitted ORDER BY customer_id, idempotency_key
          ON CONFLICT DO NOTHING RETURNING id, released_at
        ), sold AS (
          INSERT INTO sales (seller_id, purchase_id, product_ids)
          SELECT seller_id, purchase_id, product_ids FROM stored JOIN given ON purchase_id = id,
            jsonb_to_recordset(sales) AS sale (seller_id uuid, product_ids uuid[])
        )
        SELECT id, CASE WHEN released_at IS NULL THEN 'queued' ELSE 'released' END AS became FROM stored
        UNION ALL
        SELECT purchase_id, 'refused' FROM turns WHERE unfinished + turn > ${maxUnfinished}`
      const became = new Map(rows.map((row) => [row.id, row.became]))
      return new Map(
        purchases.map(({ accepted: { purchase_id: id } }) => [id, became.get(id) ?? 'known']),
      )
    },

    /**
     * Releases queued purchases, `limit` of them at most: first those of the customers who have the fewest in progress.
     * It considers 100 customers, in the order of their ids, after the customer `after`. `next`: the customer after
     * whom to continue, undefined when all were considered.
     */
    async release(
      limit: number,
      limits: StartLimits,
      after: string,
    ): Promise<{ released: Released[]; next: string | undefined }> {
      const [row] = await prisma.$queryRaw<{ released: ReleasedRow[]; next: string | null }[]>`
        WITH RECURSIVE waiting AS (
          (SELECT customer_id, 1 AS place FROM purchases WHERE customer_id > ${after}::uuid
            AND ${queued} ORDER BY customer_id LIMIT 1)
          UNION ALL
          SELECT (SELECT customer_id FROM purchases WHERE customer_id > waiting.customer_id
            AND ${queued} ORDER BY customer_id LIMIT 1), place + 1
          FROM waiting WHERE customer_id IS NOT NULL AND place < 100
        ), room AS MATERIALIZED (
          SELECT ${limits.inAll}::int - ${countOf(started(limits), limits.inAll)} AS free
        ), turns AS (
          SELECT next.id, started + row_number() OVER (PARTITION BY customer_id ORDER BY next.id) AS turn
          FROM waiting,
            LATERAL ${countOf(
              sql`customer_id = waiting.customer_id AND ${started(limits)}`,
              limits.perCustomer,
            )} AS theirs (started),
            LATERAL (SELECT id FROM purchases WHERE customer_id = waiting.customer_id
              AND ${queued} ORDER BY id LIMIT ${limits.perCustomer}::int - started) AS next
        ), chosen AS MATERIALIZED (
          SELECT purchases.id FROM turns JOIN purchases USING (id)
          WHERE released_at IS NULL
          ORDER BY turn, purchases.id
          LIMIT (SELECT LEAST(${limit}::int, free) FROM room)
          FOR NO KEY UPDATE OF purchases SKIP LOCKED
        ), released AS (
          UPDATE purchases SET released_at = now() FROM chosen WHERE purchases.id = chosen.id
          RETURNING purchases.id AS purchase_id, customer_id, lines, amount, currency_code, payment_method,
            cancel_requested_at IS NOT NULL AS cancel_requested
        )
        SELECT COALESCE((SELECT jsonb_agg(released) FROM released), '[]') AS released,
          (SELECT customer_id FROM waiting WHERE place = 100) AS next`
      const released = (row?.released ?? []).map(
        ({ cancel_requested: cancelRequested, ...accepted }) => {
          return { accepted, cancelRequested }
        },
      )
      return { released, next: row?.next ?? undefined }
    },

    /**
     * How many purchases have not ended, and how many of them wait for their turn; counts to `limit` and no further.
     */
    async countUnfinished(limit: number): Promise<{ unfinished: number; queued: number }> {
      const [row] = await prisma.$queryRaw<{ unfinished: number; queued: number }[]>`
        SELECT
          ${countOf(unfinished, limit)}::int AS unfinished,
          ${countOf(queued, limit)}::int AS queued`
      return { unfinished: row?.unfinished ?? 0, queued: row?.queued ?? 0 }
    },

    /** For how long the oldest purchase has been released without an end, in seconds; 0 if there is none. */
    async oldestStarted(): Promise<number> {
      const [row] = await prisma.$queryRaw<{ age: number }[]>`
        SELECT extract(epoch FROM now() - released_at)::float8 AS age FROM purchases
        WHERE ${unfinished} AND released_at IS NOT NULL ORDER BY released_at LIMIT 1`
      return row?.age ?? 0
    },
  }
}
