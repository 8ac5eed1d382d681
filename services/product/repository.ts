import {
  Prisma,
  PrismaClient,
  type Category as StoredCategory,
  type Product as StoredProduct,
} from '../../prisma/product/client/client.ts'
import type { CreateCategory, UpdateProduct } from '../../shared/contracts/product.ts'
import type { LateId, LateIds } from '../../shared/cuckoo.ts'
import { newId } from '../../shared/ids.ts'
import type { Command } from '../../shared/participant.ts'
import { connectDatabase, type DatabaseConfig, databaseAnswers } from '../../shared/prisma.ts'
import { holdNew, inTransaction, type Line, sellAll, type Transaction } from './stock-repository.ts'

export type { Line, StoredCategory, StoredProduct }
export type Repository = Awaited<ReturnType<typeof connectRepository>>

/** What everybody may see of a product. */
export type ProductView = Pick<
  StoredProduct,
  'id' | 'categoryId' | 'accountId' | 'name' | 'description' | 'brandName' | 'price' | 'stock'
>
/** What a purchase needs to know of a product. */
export type Offer = Pick<StoredProduct, 'id' | 'accountId' | 'name' | 'price'>
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

    holdNew: (command: Command<'reserveStock'>, lines: Line[]): Promise<boolean> =>
      holdNew(prisma, command, lines),

    sellAll: (purchaseIds: string[]): Promise<string[]> => sellAll(prisma, purchaseIds),

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

    findOffers: (ids: string[]): Promise<Offer[]> =>
      prisma.$queryRaw<Offer[]>`
        SELECT id, account_id AS "accountId", name, price
        FROM products WHERE id = ANY(${ids}::uuid[])`,

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
