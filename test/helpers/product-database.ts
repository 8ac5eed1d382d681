import assert from 'node:assert/strict'
import { connectRepository } from '../../services/product/repository.ts'
import { newId } from '../../shared/ids.ts'
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
  const opened = opening.move()
  return {
    ...database,
    repository,
    /** The id of a new product with so many in stock. */
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
    /** Quantity and status of what a purchase holds. */
    async holds(purchaseId: string): Promise<unknown[][]> {
      const rows = await database.query(
        `SELECT quantity, status FROM holds WHERE purchase_id = '${purchaseId}' ORDER BY product_id`,
      )
      return rows.map(({ quantity, status }) => [quantity, status])
    },
    close: () => opened.disposeAsync(),
  }
}

export type ProductDatabase = Awaited<ReturnType<typeof openProductDatabase>>
