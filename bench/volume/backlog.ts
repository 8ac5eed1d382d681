import { Client } from 'pg'
import { type Database, databases } from '../../prisma/databases.ts'
import { commandSteps } from '../../shared/contracts/steps.ts'
import { idFunctions, type Shape } from './shape.ts'

/**
 * What is pending in a filled shop after a long outage: a fiftieth of its purchases is unfinished, and as much has
 * outlived its retention. No service may run, which would work it off, and the databases fit together no more.
 */
export async function plantBacklog(urls: Record<Database, string>, shape: Shape): Promise<void> {
  const share = Math.max(Math.floor(shape.rows / 50), 1)
  const latest = `generate_series(${shape.rows - share + 1}, ${shape.rows}) AS n`
  const oldest = `generate_series(1, ${share}) AS n`
  const ids = (series: string) => `(SELECT pg_temp.purchase_id(n) FROM ${series})`
  const oldInbox = (step: string) =>
    `INSERT INTO inbox (command_id, reply, created_at)
     SELECT pg_temp.purchase_id(n) || '/${step}', '{"outcome":"done"}', pg_temp.at(pg_temp.purchase_ms(n)) FROM ${oldest}
     ON CONFLICT DO NOTHING`

  const statements: Record<Database, string[]> = {
    account: [
      `UPDATE sessions SET ended_at = OUTLIVED WHERE id IN ${ids(oldest)}`,
      `UPDATE outbox SET sent_at = OUTLIVED WHERE id <= ${share}`,
      // What has not reached Kafka yet still has its payload.
      `UPDATE outbox SET sent_at = NULL, payload = '{}' WHERE id IN (SELECT id FROM outbox ORDER BY id DESC LIMIT ${share})`,
      `UPDATE accounts SET deletion_requested_at = OVERDUE
       WHERE id IN (SELECT pg_temp.customer_id(n / 10) FROM ${latest})`,
      `UPDATE mailed_codes SET expires_at = OUTLIVED, counted_since = OUTLIVED
       WHERE account_id IN (SELECT pg_temp.customer_id(n / 10) FROM ${oldest})`,
    ],
    product: [
      `UPDATE holds SET status = 'HELD', updated_at = OVERDUE WHERE purchase_id IN ${ids(latest)}`,
      `UPDATE creations SET created_at = OUTLIVED WHERE created_id IN (SELECT pg_temp.product_id(n) FROM ${oldest})`,
      oldInbox(commandSteps.reserveStock.step),
    ],
    order: [
      `UPDATE orders SET status = 'PENDING', created_at = OVERDUE WHERE id IN ${ids(latest)}`,
      oldInbox(commandSteps.createOrder.step),
    ],
    payment: [
      `UPDATE payments SET status = 'PENDING' WHERE id IN ${ids(latest)}`,
      `UPDATE refunds SET status = 'PROCESSING', asked_at = OVERDUE WHERE payment_id IN ${ids(latest)}`,
      `UPDATE provider_events SET received_at = OUTLIVED WHERE seq <= ${share}`,
      oldInbox(commandSteps.takePayment.step),
    ],
    media: [
      `INSERT INTO pending_media (id, kind, created_at)
       SELECT pg_temp.purchase_id(n), 'image', OVERDUE FROM ${latest}`,
    ],
    // A third waits for its turn, a third is under way and paid, of a third Kafka has no event.
    purchase: [
      `UPDATE purchases SET updated_at = OVERDUE,
         status = CASE WHEN n % 3 = 1 THEN 'PROCESSING' ELSE 'ACCEPTED' END,
         released_at = CASE WHEN n % 3 > 0 THEN OVERDUE END,
         published_at = CASE WHEN n % 3 = 1 THEN OVERDUE END,
         cancel_requested_at = CASE WHEN n % 7 = 0 THEN OVERDUE END
       FROM ${latest} WHERE id = pg_temp.purchase_id(n)`,
    ],
  }
  // Not all at one moment: rows that are equal in the order of an index would be sorted together.
  const times = (sql: string) =>
    sql
      .replaceAll('OVERDUE', `now() - interval '1 hour' - random() * interval '1 hour'`)
      .replaceAll('OUTLIVED', `now() - interval '70 days' - random() * interval '1 day'`)
  await Promise.all(
    databases.map(async (database) => {
      const client = new Client({ connectionString: urls[database] })
      await client.connect()
      try {
        await client.query('SET session_replication_role = replica; SET synchronous_commit = off')
        // What is done here is no statement of a service.
        await client.query('SET auto_explain.log_min_duration = -1')
        await client.query(idFunctions(shape))
        for (const sql of statements[database]) await client.query(times(sql))
        await client.query('VACUUM (ANALYZE)')
      } finally {
        await client.end()
      }
    }),
  )
}
