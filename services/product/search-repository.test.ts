import assert from 'node:assert/strict'
import { PrismaClient } from '../../prisma/product/client/client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { connectDatabase } from '../../shared/database/prisma.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { findByText } from './search-repository.ts'

const products = 8_000
const limit = 7

describe('the search for text', () => {
  let database: TestDatabase
  let prisma: PrismaClient

  before(async () => {
    database = await createTestDatabase('product')
    prisma = await connectDatabase(PrismaClient, {
      DATABASE_URL: database.url,
      DATABASE_POOL_SIZE: 2,
    })
    const category = newId()
    await database.query(`INSERT INTO categories VALUES ('${category}', 'All', 'Everything')`)
    // One product in 20 minutes, so that they are in some 37 spans of ids. Words are frequent, rare, and only in old
    // ones.
    await database.query(`
      INSERT INTO products (id, category_id, account_id, name, description, brand_name, price, stock, received)
      SELECT (lpad(to_hex(1700000000000 + n::bigint * 1200000), 12, '0') || '7000800000000000' || lpad(to_hex(n), 4, '0'))::uuid,
        '${category}', '${newId()}', concat_ws(' ', 'common', CASE WHEN n < 3000 THEN 'vintage' END,
          CASE WHEN n % 900 = 0 THEN 'rare' END, CASE WHEN n IN (5, 2999, 3000, 7990) THEN 'odd' END,
          CASE WHEN n < 3000 AND n % 2 = 0 THEN 'even' WHEN n >= 3000 AND n % 2 = 1 THEN 'even' END),
        'word' || n % 13, 'Brand', 1, 1, 1
      FROM generate_series(1, ${products}) AS n`)
  })

  after(async () => {
    await prisma.$disconnect()
    await database.close()
  })

  const texts = [
    'common',
    'vintage',
    'rare',
    'odd',
    'absent',
    'vint',
    'vintage even',
    'odd rare',
    '!',
  ]
  for (const text of texts) {
    it(`finds all products with "${text}", newest first, page by page`, async () => {
      const rows = await database.query(
        `SELECT id FROM products WHERE words @@ search_query('${text}') ORDER BY id DESC LIMIT ${limit * 40}`,
      )

      const found: string[] = []
      let page: string[]
      do {
        page = await findByText(prisma, { text, limit, cursor: found.at(-1) })
        found.push(...page)
      } while (page.length === limit && found.length < limit * 40)

      assert.deepEqual(
        found,
        rows.map(({ id }) => id),
      )
    })
  }

  it('finds a product that was given a word after others were', async () => {
    const [{ id } = { id: '' }] = await database.query(
      'SELECT id FROM products ORDER BY id LIMIT 1',
    )
    await database.query(`UPDATE products SET name = 'Zeppelin' WHERE id = '${id}'`)

    assert.deepEqual(await findByText(prisma, { text: 'zeppelin', limit }), [id])
  })

  it('reads the products of one span, however many others have a word that only old ones have', async () => {
    await database.query('VACUUM ANALYZE products')

    // Within one transaction, in which the counts of its connection only grow.
    const rows = await prisma.$transaction(async (tx) => {
      const count = async () => {
        const [counted] = await tx.$queryRaw<{ rows: number }[]>`
          SELECT (idx_tup_fetch + seq_tup_read)::int AS rows
          FROM pg_stat_xact_user_tables WHERE relname = 'products'`
        return counted?.rows ?? 0
      }
      await tx.$executeRaw`SET LOCAL enable_seqscan = off`
      const before = await count()
      await findByText(tx as PrismaClient, { text: 'vintage', limit })
      return (await count()) - before
    })

    // The newest 140 are looked through, and some 220 are in a span.
    assert.ok(rows > 0 && rows < 600, `${rows} rows`)
  })
})
