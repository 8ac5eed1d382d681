import { Client } from 'pg'
import type { Database } from '../../prisma/databases.ts'
import { commands } from '../../shared/contracts/commands.ts'
import { commandSteps } from '../../shared/contracts/steps.ts'
import { adjusted, idFunctions, type Shape } from './shape.ts'

/** The accounts that the filled rows belong to; both can log in. */
export type Owners = { customerId: string; sellerId: string }

/** Rows that one statement writes, of the table with the fewest for each number. */
const chunk = 25_000
/** The words of the filled products, by how many products have them. */
export const searchWords = {
  frequent: 'phone',
  rare: 'heliotrope',
  absent: 'xylograph',
  /** In the oldest three of ten products, and in no other. */
  old: 'vintage',
}

/** Fills the databases as the services would have, each in a state that the reconciler accepts. */
export async function fillDatabases(
  urls: Record<Database, string>,
  shape: Shape,
  owners: Owners,
  onProgress: (statements: number) => void,
): Promise<void> {
  let done = 0
  const fill = async (database: Database) => {
    const client = new Client({ connectionString: urls[database] })
    await client.connect()
    try {
      // The rows refer to each other by construction, so that no foreign key has to be checked.
      await client.query('SET session_replication_role = replica; SET synchronous_commit = off')
      await client.query(idFunctions(shape))
      for (const sql of once[database] ?? []) await client.query(named(sql, shape, owners))
      for (let from = 0; from < shape.rows; from += chunk) {
        const range = `generate_series(${from + 1}, ${Math.min(from + chunk, shape.rows)}) AS n`
        for (const sql of each[database]) {
          await client.query(named(sql, shape, owners).replace('EACH', range))
        }
        done += 1
        onProgress(done)
      }
      await client.query('VACUUM (ANALYZE)')
    } finally {
      await client.end()
    }
  }
  const names = Object.keys(each) as Database[]
  await Promise.all(names.map(fill))
}

/** How often `fillDatabases` reports. */
export function fillSteps({ rows }: Shape): number {
  return Math.ceil(rows / chunk) * Object.keys(each).length
}

function named(sql: string, { rows, inboxFrom, share }: Shape, owners: Owners): string {
  const values: Record<string, string> = {
    ROWS: `${rows}`,
    INBOX_FROM: `${Math.round(inboxFrom)}::bigint`,
    CUSTOMER: `CASE WHEN n % ${share} = 0 THEN '${owners.customerId}'::uuid ELSE pg_temp.customer_id(n / ${share}) END`,
    SELLER: `'${owners.sellerId}'::uuid`,
    BOUGHT: 'pg_temp.at(pg_temp.purchase_ms(n))',
    ADDED: 'pg_temp.at(pg_temp.product_ms(n))',
  }
  return sql.replace(/\b[A-Z]+_?[A-Z]+\b/g, (name) => values[name] ?? name)
}

const inboxOf = (command: 'reserveStock' | 'createOrder' | 'takePayment', reply: string) => `
  INSERT INTO inbox (command_id, reply, created_at)
  SELECT pg_temp.purchase_id(n) || '/${commandSteps[command].step}', ${reply}, BOUGHT FROM EACH
  WHERE pg_temp.purchase_ms(n) > INBOX_FROM`

const done = `'{"outcome":"done"}'::jsonb`
const rejected = (reason: string) => `'{"outcome":"rejected","reason":"${reason}"}'::jsonb`
const line = (n: string, quantity: number) =>
  `jsonb_build_object('product_id', pg_temp.product_id(${n}), 'name', 'Product ' || ${n}, 'quantity', ${quantity}, 'unit_price', pg_temp.price(${n}))`
const delivery = `'${JSON.stringify({ name: 'Lan Nguyen', address: '123 quan 9', phone_number: '0110213813' })}'::jsonb`
/** The two lines of purchase n. */
const lines = '(VALUES (n, 1), (pg_temp.other(n), 2)) AS line (product, quantity)'

/** Written once, before the rows of `each`. */
const once: Partial<Record<Database, string[]>> = {
  product: [
    `INSERT INTO categories (id, name, description)
     SELECT pg_temp.category_id(n), 'Category ' || n, 'Filled' FROM generate_series(1, 20) AS n`,
  ],
}

/** What purchase, product or account n is in each database: `EACH` is a series of n. */
const each: Record<Database, string[]> = {
  account: [
    `INSERT INTO accounts (id, email, password_hash, first_name, last_name, address, phone_number)
     SELECT pg_temp.customer_id(n / 10), 'filled-' || n / 10 || '@example.com', '', 'Lan', 'Nguyen', '123 quan 9', '0110213813'
     FROM EACH WHERE n % 10 = 0`,
    `INSERT INTO sessions (id, account_id, expires_at, ended_at)
     SELECT pg_temp.purchase_id(n), pg_temp.customer_id(n / 10), now() + interval '30 days',
       CASE WHEN n % 2 = 0 THEN now() - interval '1 day' END FROM EACH`,
    `INSERT INTO refresh_tokens (id, session_id, token_hash, expires_at)
     SELECT pg_temp.purchase_id(n), pg_temp.purchase_id(n), 'filled-' || n, now() + interval '30 days' FROM EACH`,
    `INSERT INTO mailed_codes (account_id, kind, asked_by, expires_at)
     SELECT pg_temp.customer_id(n / 10), 'verify', 'filled', now() - interval '1 day' FROM EACH WHERE n % 10 = 0`,
    `INSERT INTO outbox (event, key, created_at, sent_at)
     SELECT 'emailRequested', pg_temp.purchase_id(n) || '/completed', now(), now() FROM EACH`,
  ],
  product: [
    `INSERT INTO products (id, category_id, account_id, name, description, brand_name, price, stock, sold, received, created_at, updated_at)
     SELECT pg_temp.product_id(n), pg_temp.category_id(1 + n % 20), SELLER,
       concat_ws(' ', (ARRAY['Phone', 'Lamp', 'Chair', 'Kettle', 'Camera', 'Bicycle', 'Tent', 'Piano', 'Jacket', 'Clock'])[1 + n % 10],
         CASE WHEN n <= ROWS * 3 / 10 THEN '${searchWords.old}' END,
         CASE WHEN n % greatest(ROWS / 5, 1) = 1 THEN '${searchWords.rare}' END, 'model', n % 5000),
       'Made in ' || (1990 + n % 35) || ' of material' || n % 300 || ', for room' || n % 700 || ', in colour' || n % 90
         || ', with a guarantee of two years and free delivery; part number pn' || n,
       'Brand' || n % 2000, pg_temp.price(n), 1000, pg_temp.sold(n), 1000 + pg_temp.sold(n), ADDED, ADDED FROM EACH`,
    `INSERT INTO holds (purchase_id, product_id, quantity, status, updated_at)
     SELECT pg_temp.purchase_id(n), pg_temp.product_id(product), quantity,
       CASE pg_temp.outcome(n) WHEN 'sold' THEN 'SOLD' ELSE 'RELEASED' END, BOUGHT
     FROM EACH, LATERAL ${lines} WHERE pg_temp.outcome(n) <> 'out_of_stock'`,
    `INSERT INTO creations (account_id, idempotency_key, body_hash, created_id)
     SELECT SELLER, 'filled-' || n, '', pg_temp.product_id(n) FROM EACH WHERE n % 10 = 0`,
    `INSERT INTO stock_adjustments (id, product_id, idempotency_key, quantity, reason, created_at)
     SELECT pg_temp.adjustment_id(n), pg_temp.product_id(${adjusted}), 'filled-' || n, 1, 'Broken', BOUGHT
     FROM EACH WHERE n % 10 = 0`,
    inboxOf(
      'reserveStock',
      `CASE pg_temp.outcome(n) WHEN 'out_of_stock' THEN ${rejected('out_of_stock')} ELSE ${done} END`,
    ),
  ],
  order: [
    `INSERT INTO orders (id, customer_id, status, amount, currency_code, created_at, updated_at)
     SELECT pg_temp.purchase_id(n), CUSTOMER, CASE pg_temp.outcome(n) WHEN 'sold' THEN 'CONFIRMED' ELSE 'CANCELLED' END,
       pg_temp.amount(n), 'VND', BOUGHT, BOUGHT FROM EACH WHERE pg_temp.outcome(n) <> 'out_of_stock'`,
    `INSERT INTO order_lines (order_id, product_id, name, quantity, unit_price)
     SELECT pg_temp.purchase_id(n), pg_temp.product_id(product), 'Product ' || product, quantity, pg_temp.price(product)
     FROM EACH, LATERAL ${lines} WHERE pg_temp.outcome(n) <> 'out_of_stock'`,
    inboxOf('createOrder', done),
  ],
  payment: [
    `INSERT INTO payments (id, customer_id, status, amount, currency_code, method, provider_reference, refunds_claimed,
       refunded_amount, created_at, updated_at)
     SELECT pg_temp.purchase_id(n), CUSTOMER, CASE pg_temp.outcome(n) WHEN 'sold' THEN 'CAPTURED' ELSE 'DECLINED' END,
       pg_temp.amount(n), 'VND', 'sim_ok', 'pi_' || replace(pg_temp.purchase_id(n)::text, '-', ''),
       pg_temp.refunded(n), pg_temp.refunded(n), BOUGHT, BOUGHT
     FROM EACH WHERE pg_temp.outcome(n) <> 'out_of_stock'`,
    `INSERT INTO refunds (id, payment_id, seller_id, requested_by, idempotency_key, body_hash, amount, product_ids, reason,
       status, provider_reference, asked_at, created_at, updated_at)
     SELECT pg_temp.refund_id(n), pg_temp.purchase_id(n), SELLER, SELLER::text, 'filled', '', pg_temp.refunded(n), '{}',
       'Broken', 'COMPLETED', 're_' || n, BOUGHT, BOUGHT, BOUGHT FROM EACH WHERE pg_temp.refunded(n) > 0`,
    // All have just been received, so that the retention of a running service removes none.
    `INSERT INTO provider_events (id, type, reference, payment_id, amount, outcome, created_at)
     SELECT 'evt_' || n, 'payment_intent.succeeded', 'pi_' || replace(pg_temp.purchase_id(n)::text, '-', ''),
       pg_temp.purchase_id(n), pg_temp.amount(n), CASE WHEN n % 1000 = 1 THEN 'OUTSIDE' ELSE 'KNOWN' END, BOUGHT
     FROM EACH WHERE pg_temp.outcome(n) = 'sold'`,
    inboxOf('takePayment', done),
  ],
  media: [
    `INSERT INTO media (id, product_id, account_id, kind, content_type, size_bytes, checksum, alt, object_key)
     SELECT pg_temp.purchase_id(n), pg_temp.product_id(n), SELLER, 'image', 'image/png', 1, '', 'Filled', 'images/filled-' || n FROM EACH`,
  ],
  purchase: [
    `INSERT INTO purchases (id, customer_id, idempotency_key, body_hash, lines, amount, currency_code, payment_method, delivery,
       status, reason, failed_step, refunded_amount, released_at, published_at, created_at, updated_at)
     SELECT pg_temp.purchase_id(n), CUSTOMER, 'filled-' || n, md5(n::text), jsonb_build_array(${line('n', 1)}, ${line('pg_temp.other(n)', 2)}),
       pg_temp.amount(n), 'VND', 'sim_ok', ${delivery}, CASE pg_temp.outcome(n) WHEN 'sold' THEN 'COMPLETED' ELSE 'REJECTED' END,
       CASE pg_temp.outcome(n) WHEN 'declined' THEN 'payment_declined' WHEN 'out_of_stock' THEN 'out_of_stock' END,
       CASE pg_temp.outcome(n) WHEN 'declined' THEN 'take-payment' WHEN 'out_of_stock' THEN 'reserve-stock' END,
       pg_temp.refunded(n), BOUGHT, BOUGHT, BOUGHT, BOUGHT FROM EACH`,
    `INSERT INTO sales (seller_id, purchase_id, product_ids, refunded_amount, ended_as)
     SELECT SELLER, pg_temp.purchase_id(n), ARRAY[pg_temp.product_id(n), pg_temp.product_id(pg_temp.other(n))],
       pg_temp.refunded(n), CASE WHEN pg_temp.outcome(n) <> 'sold' THEN 'REJECTED' END FROM EACH`,
    `INSERT INTO purchase_refunds (refund_id, purchase_id, seller_id, amount, status, created_at)
     SELECT pg_temp.refund_id(n), pg_temp.purchase_id(n), SELLER, pg_temp.refunded(n), 'COMPLETED', BOUGHT
     FROM EACH WHERE pg_temp.refunded(n) > 0`,
    `INSERT INTO purchase_steps (purchase_id, sequence, name, outcome, at)
     SELECT pg_temp.purchase_id(n), step.sequence, step.name, CASE WHEN step.sequence < last OR outcome = 'sold' THEN 'done' ELSE 'rejected' END, BOUGHT
     FROM EACH, LATERAL (SELECT pg_temp.outcome(n)) AS o (outcome),
       LATERAL (SELECT CASE outcome WHEN 'out_of_stock' THEN ${commands.reserveStock.sequence} ELSE ${commands.takePayment.sequence} END) AS l (last),
       (VALUES ${stepRows()}) AS step (sequence, name)
     WHERE step.sequence <= last`,
  ],
}

function stepRows(): string {
  const taken = [commands.reserveStock, commands.createOrder, commands.takePayment]
  return taken.map(({ sequence, step }) => `(${sequence}, '${step}')`).join(', ')
}
