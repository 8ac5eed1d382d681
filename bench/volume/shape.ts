import { Client } from 'pg'
import { oldestIdAt } from '../../shared/contracts/ids.ts'

const dayMs = 24 * 60 * 60 * 1_000
const refundEvery = 11

/** When the filled shop made what it holds, in ms since 1970, and how much that is. */
export type Shape = ReturnType<typeof shapeOf>

/**
 * A shop with `rows` products, spread over one year, and as many purchases, spread over the year after it. A tenth of
 * the purchases are one customer's.
 */
export function shapeOf(rows: number, now = Date.now()) {
  // Purchases buy products in pairs.
  const even = rows + (rows % 2)
  const purchasesFrom = now - 365 * dayMs
  return {
    rows: even,
    purchasesFrom,
    purchaseEveryMs: (365 * dayMs - 60 * 60 * 1_000) / even,
    productsFrom: purchasesFrom - 366 * dayMs,
    productEveryMs: (365 * dayMs) / even,
    /** The inbox is purged, so it holds the commands of the last purchases only. */
    inboxFrom: now - 58 * dayMs,
    /** Each share-th purchase is that of the customer with the most. */
    share: 10,
  }
}

/** An id of that moment, which nothing has: for cursors. */
export const idAt = (ms: number) => `${oldestIdAt(Math.round(ms))}-7000-8000-000000000000`

/** The number of the product that has all adjustments of stock. */
export const adjusted = 1

/** The ids of what lists are asked for by name: any database can compute them. */
export async function readNamed(url: string, shape: Shape) {
  // The payment of the customer with the most, in the middle.
  const every = refundEvery * shape.share
  const refunded = every * Math.max(Math.floor(shape.rows / 2 / every), 1)
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(idFunctions(shape))
    const { rows } = await client.query<{ product: string; payment: string }>(
      `SELECT pg_temp.product_id(${adjusted}) AS product, pg_temp.purchase_id(${refunded}) AS payment`,
    )
    return { adjustedProduct: rows[0]?.product ?? '', refundedPayment: rows[0]?.payment ?? '' }
  } finally {
    await client.end()
  }
}

/**
 * Functions for the session that fills a database. All databases compute the same ids from the number of a product or
 * purchase, so that no database has to be asked for those of another one.
 */
export function idFunctions({
  purchasesFrom,
  purchaseEveryMs,
  productsFrom,
  productEveryMs,
}: Shape): string {
  const id = (name: string, tag: string, ms: string) => `
    CREATE FUNCTION pg_temp.${name}(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE RETURN
      (lpad(to_hex(${ms}), 12, '0') || '7${tag}8' || lpad(to_hex(n), 15, '0'))::uuid;`
  const at = (name: string, from: number, every: number) => `
    CREATE FUNCTION pg_temp.${name}(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN
      (${Math.round(from)} + n * ${every}::float8)::bigint;`
  return [
    at('purchase_ms', purchasesFrom, purchaseEveryMs),
    at('product_ms', productsFrom, productEveryMs),
    id('purchase_id', '00a', 'pg_temp.purchase_ms(n)'),
    id('product_id', '00b', 'pg_temp.product_ms(n)'),
    id('customer_id', '00c', `${Math.round(productsFrom)}::bigint`),
    id('category_id', '00d', `${Math.round(productsFrom)}::bigint`),
    id('refund_id', '00e', 'pg_temp.purchase_ms(n)'),
    id('adjustment_id', '00f', 'pg_temp.purchase_ms(n)'),
    `CREATE FUNCTION pg_temp.price(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 1000 + n % 997;`,
    // The other product of a purchase's pair, numbers beginning with 1.
    `CREATE FUNCTION pg_temp.other(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN
      CASE WHEN n % 2 = 0 THEN n - 1 ELSE n + 1 END;`,
    `CREATE FUNCTION pg_temp.amount(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN
      pg_temp.price(n) + 2 * pg_temp.price(pg_temp.other(n));`,
    // Of 100 purchases 92 completed, 5 were declined and 3 found no stock.
    `CREATE FUNCTION pg_temp.outcome(n bigint) RETURNS text LANGUAGE sql IMMUTABLE RETURN
      CASE WHEN n % 100 < 92 THEN 'sold' WHEN n % 100 < 97 THEN 'declined' ELSE 'out_of_stock' END;`,
    `CREATE FUNCTION pg_temp.sold(n bigint) RETURNS int LANGUAGE sql IMMUTABLE RETURN
      (pg_temp.outcome(n) = 'sold')::int + 2 * (pg_temp.outcome(pg_temp.other(n)) = 'sold')::int;`,
    // What a refund gave back: one of eleven sold purchases was refunded its first line.
    `CREATE FUNCTION pg_temp.refunded(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN
      CASE WHEN n % ${refundEvery} = 0 AND pg_temp.outcome(n) = 'sold' THEN pg_temp.price(n) ELSE 0 END;`,
    `CREATE FUNCTION pg_temp.at(ms bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE RETURN
      to_timestamp(ms / 1000.0);`,
  ].join('\n')
}
