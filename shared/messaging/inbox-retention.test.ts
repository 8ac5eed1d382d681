import assert from 'node:assert/strict'
import { pino } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import type { Database } from '../../prisma/databases.ts'
import { connectRepository as connectOrders } from '../../services/order/repository.ts'
import { connectRepository as connectPayments } from '../../services/payment/repository.ts'
import { connectRepository as connectProducts } from '../../services/product/repository.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { newId } from '../contracts/ids.ts'
import { createInboxPurge, type PurgedBatch, retentionDays } from './inbox-retention.ts'

type Participant = {
  database: Database
  connect: (config: { DATABASE_URL: string; DATABASE_POOL_SIZE: number }) => Promise<{
    purgeInbox: (after: string) => Promise<PurgedBatch>
    close: () => Promise<void>
  }>
  /** Makes something of a purchase that is final here, or not. */
  add: (id: string, final: boolean) => string
}

const category = newId()
const product = newId()
const participants: Participant[] = [
  {
    database: 'order',
    connect: connectOrders,
    add: (id, final) => `
      INSERT INTO orders (id, customer_id, status, amount, currency_code)
      VALUES ('${id}', '${newId()}', '${final ? 'CANCELLED' : 'PENDING'}', 1, 'VND')`,
  },
  {
    database: 'payment',
    connect: connectPayments,
    add: (id, final) => `
      INSERT INTO payments (id, customer_id, status, amount, currency_code, method)
      VALUES ('${id}', '${newId()}', '${final ? 'CAPTURED' : 'PENDING'}', 1, 'VND', 'sim_ok')`,
  },
  {
    database: 'product',
    connect: connectProducts,
    add: (id, final) => `
      INSERT INTO categories (id, name, description) VALUES ('${category}', 'Tea', 'Leaves')
        ON CONFLICT DO NOTHING;
      INSERT INTO products (id, category_id, account_id, name, description, brand_name, price, stock, received)
        VALUES ('${product}', '${category}', '${newId()}', 'Tea', 'Leaves', 'Hill', 1, 1, 1)
        ON CONFLICT DO NOTHING;
      INSERT INTO holds (purchase_id, product_id, quantity, status)
        VALUES ('${id}', '${product}', 1, '${final ? 'SOLD' : 'HELD'}')`,
  },
]

const day = 24 * 60 * 60 * 1_000
const idOfAge = (days: number) => uuidv7({ msecs: Date.now() - days * day })

for (const { database: name, connect, add } of participants) {
  describe(`the inbox of ${name}`, () => {
    let database: TestDatabase
    let repository: Awaited<ReturnType<Participant['connect']>>
    let purge: () => Promise<void>

    before(async () => {
      database = await createTestDatabase(name)
      repository = await connect({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 2 })
      const logger = pino({ level: 'silent' })
      purge = createInboxPurge({ purge: repository.purgeInbox, logger })
    })

    after(async () => {
      await repository.close()
      await database.close()
    })

    const receive = (commandId: string, days: number) =>
      database.query(`
        INSERT INTO inbox (command_id, reply, created_at)
        VALUES ('${commandId}', '{"outcome":"done"}', now() - interval '${days} days')`)

    async function kept(ids: string[]): Promise<string[]> {
      const rows = await database.query('SELECT command_id FROM inbox')
      const known = new Set(rows.map(({ command_id }) => String(command_id)))
      return ids.filter((id) => known.has(id))
    }

    it('loses old commands of purchases that are final, and of those that left nothing', async () => {
      const [final, none] = [idOfAge(retentionDays + 1), idOfAge(retentionDays + 1)]
      const commands = [`${final}/a`, `${final}/b`, `${none}/a`, '0/of-nobody']
      for (const id of commands) await receive(id, retentionDays + 1)
      await database.query(add(final, true))

      await purge()

      assert.deepEqual(await kept(commands), [])
    })

    it('keeps commands of a purchase that is open here, however old they are', async () => {
      const open = idOfAge(10 * retentionDays)
      await receive(`${open}/a`, 10 * retentionDays)
      await database.query(add(open, false))

      await purge()

      assert.deepEqual(await kept([`${open}/a`]), [`${open}/a`])
    })

    it('keeps commands that are younger, whatever the id of their purchase says', async () => {
      const [young, claimed] = [idOfAge(retentionDays - 1), idOfAge(retentionDays + 1)]
      const commands = [`${young}/a`, `${claimed}/a`]
      for (const id of commands) await receive(id, retentionDays - 1)

      await purge()

      assert.deepEqual(await kept(commands), commands)
    })

    it('is purged batch by batch, past all that stay', async () => {
      const old = retentionDays + 1
      await database.query(`
        INSERT INTO inbox (command_id, reply, created_at)
        SELECT '00000000-0000-7000-8000-' || lpad(n::text, 12, '0') || '/a', '{}',
          now() - CASE WHEN n <= 700 THEN interval '0' ELSE interval '${old} days' END
        FROM generate_series(1, 1500) AS n`)

      await purge()

      const rows = await database.query(
        `SELECT count(*)::int AS n FROM inbox WHERE command_id LIKE '00000000-0000-7%'`,
      )
      assert.deepEqual(rows, [{ n: 700 }])
    })
  })
}
