import {
  Prisma,
  PrismaClient,
  type Category as StoredCategory,
  type Product as StoredProduct,
} from '../../prisma/product/client/client.ts'
import type { CreateCategory, UpdateProduct } from '../../shared/contracts/product.ts'
import type { LateId, LateIds } from '../../shared/cuckoo.ts'
import { newId } from '../../shared/ids.ts'
import type { Sql } from '../../shared/inbox.ts'
import { connectDatabase, type DatabaseConfig, databaseAnswers } from '../../shared/prisma.ts'

export type { StoredCategory, StoredProduct }
export type Repository = Awaited<ReturnType<typeof connectRepository>>
type Transaction = ReturnType<typeof inTransaction>

export type Line = { productId: string; quantity: number }
type Hold = Line & { status: 'HELD' | 'SOLD' | 'RELEASED' }

/** What everybody may see of a product. */
export type ProductView = Pick<
  StoredProduct,
  'id' | 'categoryId' | 'accountId' | 'name' | 'description' | 'brandName' | 'price' | 'stock'
>
export type CategoryView = Pick<StoredCategory, 'id' | 'name' | 'description'>

type NewCategory = CreateCategory & { id?: string }
type NewProduct = {
  id?: string
  accountId: string
  categoryId: string
  name: string
  description: string
  brandName: string
  price: number
  inventory: number
}

/** A page is read with one row more than it shows, to know whether there is another. */
type PageQuery = { limit: number; cursor?: string | undefined }

type ProductQuery = PageQuery & {
  categoryId?: string | undefined
  accountId?: string | undefined
  text?: string | undefined
}

/** The one door to the product database. */
export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    /** Runs `work` in one transaction: all that it does with what it is given, or nothing. */
    transaction: <T>(work: (tx: Transaction) => Promise<T>): Promise<T> =>
      prisma.$transaction((tx) => work(inTransaction(tx))),

    listCategories: ({ limit, cursor }: PageQuery): Promise<StoredCategory[]> =>
      prisma.category.findMany({ where: before(cursor), orderBy: { id: 'desc' }, take: limit + 1 }),

    findCategory: (id: string): Promise<StoredCategory | null> =>
      prisma.category.findUnique({ where: { id } }),

    /** For showing it only: a cache may stand in front of this one. */
    viewCategory: (id: string): Promise<CategoryView | null> =>
      prisma.category.findUnique({ where: { id } }),

    createCategory: (data: NewCategory): Promise<StoredCategory> =>
      prisma.category.create({ data }),

    listCategoryIds: async (after: string | undefined, limit: number): Promise<string[]> =>
      ids(await prisma.category.findMany(idPage(after, limit))),

    async listProducts(query: ProductQuery): Promise<StoredProduct[]> {
      const { limit, cursor, categoryId, accountId } = query
      const where =
        query.text === undefined
          ? { ...before(cursor), categoryId, accountId }
          : { id: { in: await findByText(prisma, { ...query, text: query.text }) } }
      return prisma.product.findMany({ where, orderBy: { id: 'desc' }, take: limit + 1 })
    },

    findProduct: (id: string): Promise<StoredProduct | null> =>
      prisma.product.findUnique({ where: { id } }),

    /** For showing it only: a cache may stand in front of this one. */
    viewProduct: (id: string): Promise<ProductView | null> =>
      prisma.product.findUnique({ where: { id } }),

    listProductIds: async (after: string | undefined, limit: number): Promise<string[]> =>
      ids(await prisma.product.findMany(idPage(after, limit))),

    /** The free stock of those that exist, by id. */
    async readStock(productIds: string[]): Promise<Map<string, number>> {
      const rows = await prisma.product.findMany({
        where: { id: { in: productIds } },
        select: { id: true, stock: true },
      })
      return new Map(rows.map(({ id, stock }) => [id, stock]))
    },

    findProducts: (ids: string[]): Promise<StoredProduct[]> =>
      prisma.product.findMany({ where: { id: { in: ids } } }),

    /** Undefined when there is no such category. */
    createProduct: ({ inventory, ...product }: NewProduct): Promise<StoredProduct | undefined> =>
      unlessCategoryUnknown(
        prisma.product.create({ data: { ...product, stock: inventory, received: inventory } }),
      ),

    /** Undefined when there is no such category. */
    updateProduct: (
      id: string,
      { category_id: categoryId, brand_name: brandName, ...fields }: UpdateProduct,
    ): Promise<StoredProduct | undefined> =>
      unlessCategoryUnknown(
        prisma.product.update({ where: { id }, data: { ...fields, categoryId, brandName } }),
      ),

    /** Purchases that hold stock since before `overdueMs` ago, oldest first, after the purchase `after`. */
    async overduePurchases(overdueMs: number, after: string, limit: number): Promise<string[]> {
      const rows = await prisma.$queryRaw<{ purchase_id: string }[]>`
        SELECT DISTINCT purchase_id FROM holds
        WHERE status = 'HELD' AND purchase_id > ${after}::uuid
          AND updated_at < now() - ${overdueMs}::float8 * interval '1 millisecond'
        ORDER BY purchase_id LIMIT ${limit}`
      return rows.map((row) => row.purchase_id)
    },

    lateIds: lateIdsOf(prisma),

    answers: () => databaseAnswers(prisma),
    close: () => prisma.$disconnect(),
  }
}

/**
 * What a transaction can do. Everything that moves stock first locks all its products in the order of their ids, so
 * that no two transactions wait for each other. The locks leave foreign key checks alone.
 */
function inTransaction(tx: Prisma.TransactionClient) {
  return {
    sql: tx as Sql,

    /** Locks the products that exist and tells how much of each is free, by id. */
    async lockStock(productIds: string[]): Promise<Map<string, number>> {
      const rows = await tx.$queryRaw<{ id: string; stock: number }[]>`
        SELECT id, stock FROM products WHERE id = ANY(${productIds}::uuid[])
        ORDER BY id FOR NO KEY UPDATE`
      return new Map(rows.map(({ id, stock }) => [id, stock]))
    },

    /** Takes the lines, one per product, out of the free stock; the count of products where that was possible. */
    hold(purchaseId: string, lines: Line[]): Promise<number> {
      const productIds = lines.map((line) => line.productId)
      const quantities = lines.map((line) => line.quantity)
      return tx.$executeRaw`
        WITH line AS (
          SELECT * FROM unnest(${productIds}::uuid[], ${quantities}::int[]) AS l (product_id, quantity)
        ), held AS (
          INSERT INTO holds (purchase_id, product_id, quantity, status)
          SELECT ${purchaseId}::uuid, product_id, quantity, 'HELD' FROM line
        )
        UPDATE products SET stock = stock - quantity, held = held + quantity, updated_at = now()
        FROM line WHERE id = product_id AND stock >= quantity`
    },

    /** Locks what a purchase took, and the products that it took it from. */
    lockHolds: (purchaseId: string): Promise<Hold[]> =>
      tx.$queryRaw<Hold[]>`
        SELECT product_id AS "productId", quantity, status
        FROM holds JOIN products ON id = product_id WHERE purchase_id = ${purchaseId}::uuid
        ORDER BY id FOR NO KEY UPDATE`,

    /** Gives what a purchase holds back to the free stock. */
    release: (purchaseId: string): Promise<number> =>
      tx.$executeRaw`
        WITH released AS (
          UPDATE holds SET status = 'RELEASED', updated_at = now()
          WHERE purchase_id = ${purchaseId}::uuid AND status = 'HELD'
          RETURNING product_id, quantity
        )
        UPDATE products SET held = held - quantity, stock = stock + quantity, updated_at = now()
        FROM released WHERE id = product_id`,

    /** Sells what a purchase holds. */
    sell: (purchaseId: string): Promise<number> =>
      tx.$executeRaw`
        WITH taken AS (
          UPDATE holds SET status = 'SOLD', updated_at = now()
          WHERE purchase_id = ${purchaseId}::uuid AND status = 'HELD'
          RETURNING product_id, quantity
        )
        UPDATE products SET held = held - quantity, sold = sold + quantity, updated_at = now()
        FROM taken WHERE id = product_id`,

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
  }
}

function lateIdsOf(prisma: PrismaClient): LateIds {
  return {
    async note(filter, id) {
      const rows = await prisma.$queryRaw<{ is_new: boolean }[]>`
        INSERT INTO late_ids (filter, id, mark)
        VALUES (${filter}, ${id}::uuid, ${newId()}::uuid)
        ON CONFLICT (filter, id) DO UPDATE SET mark = excluded.mark
        RETURNING xmax = 0 AS is_new`
      return rows[0]?.is_new ?? true
    },

    list: (filter, limit) =>
      prisma.lateId.findMany({
        where: { filter },
        select: { id: true, mark: true },
        orderBy: { id: 'asc' },
        take: limit,
      }),

    async forget(filter, ids: LateId[]) {
      await prisma.lateId.deleteMany({ where: { filter, OR: ids } })
    },
  }
}

/** A page of the products in which every word of a text begins a word; none when it has no word. */
async function findByText(
  prisma: PrismaClient,
  { text, limit, cursor, categoryId, accountId }: ProductQuery & { text: string },
): Promise<string[]> {
  // The words come without punctuation, so none of them ends the quotes that it stands in.
  const conditions = [
    Prisma.sql`search_words(name || ' ' || brand_name || ' ' || description) @@ (
      SELECT string_agg('''' || word || ''':*', ' & ')::tsquery
      FROM unnest(tsvector_to_array(search_words(${text}))) AS word)`,
    ...(cursor === undefined ? [] : [Prisma.sql`id < ${cursor}::uuid`]),
    ...(categoryId === undefined ? [] : [Prisma.sql`category_id = ${categoryId}::uuid`]),
    ...(accountId === undefined ? [] : [Prisma.sql`account_id = ${accountId}::uuid`]),
  ]
  const rows = await prisma.$queryRaw<{ id: string }[]>`
    SELECT id FROM products WHERE ${Prisma.join(conditions, ' AND ')}
    ORDER BY id DESC LIMIT ${limit + 1}`
  return ids(rows)
}

function before(cursor: string | undefined) {
  return cursor === undefined ? {} : { id: { lt: cursor } }
}

/** A page of ids, oldest first. */
function idPage(after: string | undefined, take: number) {
  const where = after === undefined ? {} : { id: { gt: after } }
  return { where, select: { id: true }, orderBy: { id: 'asc' }, take } as const
}

function ids(rows: { id: string }[]): string[] {
  return rows.map((row) => row.id)
}

/** The category is the only row that a product refers to. */
async function unlessCategoryUnknown<T>(written: Promise<T>): Promise<T | undefined> {
  try {
    return await written
  } catch (error) {
    const unknown = error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2003'
    if (unknown) return undefined
    throw error
  }
}
