import type {
  Prisma,
  PrismaClient,
  StockAdjustment as StoredAdjustment,
  Product as StoredProduct,
} from '../../prisma/product/client/client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { ListQuery } from '../../shared/contracts/list.ts'
import type { AdjustStock } from '../../shared/contracts/product.ts'
import { inRange } from '../../shared/database/list-range.ts'

export type { StoredAdjustment }

/** What a seller does to stock and sale of a product, in statements that are a transaction each. */
export function createInventoryStatements(prisma: PrismaClient) {
  return {
    /** Stops the sale of a product, or starts it again; undefined when there is none. A repeat keeps the first time. */
    async setWithdrawn(id: string, withdrawn: boolean): Promise<StoredProduct | undefined> {
      await prisma.product.updateMany({
        where: { id, withdrawnAt: withdrawn ? null : { not: null } },
        data: { withdrawnAt: withdrawn ? new Date() : null },
      })
      return (await prisma.product.findUnique({ where: { id } })) ?? undefined
    },

    /** Withdraws at most `limit` products of an account; their ids. */
    async withdrawOf(accountId: string, limit: number): Promise<string[]> {
      const rows = await prisma.$queryRaw<{ id: string }[]>`
        WITH offered AS MATERIALIZED (
          SELECT id FROM products WHERE account_id = ${accountId}::uuid AND withdrawn_at IS NULL
          ORDER BY id LIMIT ${limit} FOR NO KEY UPDATE
        )
        UPDATE products SET withdrawn_at = now(), updated_at = now()
        FROM offered WHERE products.id = offered.id RETURNING products.id`
      return rows.map(({ id }) => id)
    },

    /** Newest first; one more than a page shows, to know whether there is another. */
    listAdjustments: (productId: string, query: ListQuery): Promise<StoredAdjustment[]> =>
      prisma.stockAdjustment.findMany({
        where: { productId, ...inRange(query) },
        orderBy: { id: 'desc' },
        take: query.limit + 1,
      }),
  }
}

/** The same within a transaction, which locks the product before it decides. */
export function inventoryInTransaction(tx: Prisma.TransactionClient) {
  return {
    async lockProduct(id: string): Promise<StoredProduct | null> {
      await tx.$queryRaw`SELECT 1 FROM products WHERE id = ${id}::uuid FOR NO KEY UPDATE`
      return tx.product.findUnique({ where: { id } })
    },

    /** The quantity of the restock that was done under this key. */
    async findRestock(productId: string, idempotencyKey: string): Promise<number | undefined> {
      const where = { productId_idempotencyKey: { productId, idempotencyKey } }
      return (await tx.restock.findUnique({ where }))?.quantity
    },

    async restock(
      productId: string,
      idempotencyKey: string,
      quantity: number,
    ): Promise<StoredProduct> {
      await tx.restock.create({ data: { productId, idempotencyKey, quantity } })
      return tx.product.update({
        where: { id: productId },
        data: { stock: { increment: quantity }, received: { increment: quantity } },
      })
    },

    /** The adjustment that was made under this key. */
    findAdjustment: (productId: string, idempotencyKey: string): Promise<StoredAdjustment | null> =>
      tx.stockAdjustment.findUnique({
        where: { productId_idempotencyKey: { productId, idempotencyKey } },
      }),

    async adjust(
      productId: string,
      idempotencyKey: string,
      { quantity, reason }: AdjustStock,
    ): Promise<StoredProduct> {
      const data = { id: newId(), productId, idempotencyKey, quantity, reason }
      await tx.stockAdjustment.create({ data })
      return tx.product.update({
        where: { id: productId },
        data: { stock: { decrement: quantity }, received: { decrement: quantity } },
      })
    },
  }
}
