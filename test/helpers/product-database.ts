import assert from 'node:assert/strict'
import { Client } from 'pg'
import { connectRepository } from '../../services/product/repository.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestDatabase } from './database.ts'

/** A database of products with the repository on it, for tests that move stock. */
export async function openProductDatabase() {
  await using opening = new AsyncDisposableStack()
  const database = opening.adopt(await createTestDatabase('product'), (open) => open.close())
  const repository = opening.adopt(
    await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 10 }),
    (open) => open.close(),
  )
  const { id: categoryId } = await repository.createCategory({ name: 'Tea', description: 'Leaves' })

  /** Quantity and status of what a purchase holds. */
  async function holds(purchaseId: string): Promise<unknown[][]> {
    const rows = await database.query(
      `SELECT quantity, status FROM holds WHERE purchase_id = '${purchaseId}' ORDER BY product_id`,
    )
    return rows.map(({ quantity, status }) => [quantity, status])
  }

  const opened = opening.move()
  return {
    ...database,
    repository,
    holds,
    /** The status alone. */
    statuses: async (purchaseId: string) => (await holds(purchaseId)).map(([, status]) => status),
    /** The id of a new product with this stock. */
    async buildProduct(inventory: number): Promise<string> {
      const product = await repository.createProduct({
        accountId: newId(),
        categoryId,
        name: 'Green tea',
        description: 'From the hills',
        brandName: 'Hill',
        price: 125,
        inventory,
      })
      assert.ok(product)
      return product.id
    },
    /** Stock, held and sold of a product. */
    async counts(id: string): Promise<unknown[]> {
      const rows = await database.query(`SELECT stock, held, sold FROM products WHERE id = '${id}'`)
      return Object.values(rows[0] ?? {})
    },
    /** Another transaction, which lasts until it is told to commit. */
    async begin() {
      const client = opened.adopt(new Client({ connectionString: database.url }), (open) =>
        open.end(),
      )
      await client.connect()
      await client.query('BEGIN')
      return {
        query: (sql: string) => client.query(sql),
        commit: () => client.query('COMMIT'),
      }
    },
    statementWaits: () =>
      waitFor('a statement to wait for another transaction', async () => {
        const sql = `SELECT 1 FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`
        return (await database.query(sql)).length === 1
      }),
    /** From now on no change of this product happens, without an error. */
    async freeze(productId: string): Promise<void> {
      const name = `frozen_${productId.replaceAll('-', '')}`
      await database.query(`
        CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER ${name} BEFORE UPDATE ON products FOR EACH ROW
          WHEN (OLD.id = '${productId}') EXECUTE FUNCTION ${name}()`)
    },
    close: () => opened.disposeAsync(),
  }
}

export type ProductDatabase = Awaited<ReturnType<typeof openProductDatabase>>
