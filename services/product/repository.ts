import {
  Prisma,
  PrismaClient,
  type Category as StoredCategory,
  type Product as StoredProduct,
} from '../../prisma/product/client/client.ts'
import type { LateId, LateIds } from '../../shared/cache/filter.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { ListQuery } from '../../shared/contracts/list.ts'
import type { CreateCategory, UpdateProduct } from '../../shared/contracts/product.ts'
import type { DatabaseConfig } from '../../shared/database/config.ts'
import { inRange } from '../../shared/database/list-range.ts'
import { connectDatabase, isDatabaseReachable } from '../../shared/database/prisma.ts'
import { type Sql, sql } from '../../shared/database/sql.ts'
import { purgeInboxBatch } from '../../shared/messaging/inbox-retention.ts'
import { createInventoryStatements, inventoryInTransaction } from './inventory-repository.ts'
import { findByText } from './search-repository.ts'
import { createStockRepository, holdsInTransaction } from './stock-repository.ts'

export type { StoredCategory, StoredProduct }
export type Repository = Awaited<ReturnType<typeof connectRepository>>
export type Transaction = ReturnType<typeof inTransaction>

/** The public view of a product. */
export type ProductView = Pick<
  StoredProduct,
  | 'id'
  | 'categoryId'
  | 'accountId'
  | 'name'
  | 'description'
  | 'brandName'
  | 'price'
  | 'stock'
  | 'withdrawnAt'
>
/** The fields of a product that a purchase needs. */
export type Offer = Pick<StoredProduct, 'id' | 'accountId' | 'name' | 'price' | 'stock'> & {
  withdrawn: boolean
}
export type CategoryView = Pick<StoredCategory, 'id' | 'name' | 'description'>

/** The fields that its seller may change. */
export type EditableProduct = Pick<
  StoredProduct,
  'categoryId' | 'name' | 'description' | 'brandName' | 'price'
>
/** Under which key of whose something is created; `bodyHash` tells another request under the same key. */
export type Creation = { accountId: string; idempotencyKey: string; bodyHash: string }

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
type ProductQuery = ListQuery & {
  categoryId?: string | undefined
  accountId?: string | undefined
  text?: string | undefined
  /** Only withdrawn products, or only others; all when it is not given. */
  withdrawn?: boolean | undefined
}

/** The only access to the product database. */
export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    ...createStockRepository(prisma),
    ...createInventoryStatements(prisma),

    /** For statements that are a transaction each. */
    sql: prisma as Sql,

    /** Runs `work` in one transaction: all its statements take effect, or none. */
    transaction: <T>(work: (tx: Transaction) => Promise<T>): Promise<T> =>
      prisma.$transaction((tx) => work(inTransaction(tx))),

    listCategories: (query: ListQuery): Promise<StoredCategory[]> =>
      prisma.category.findMany({
        where: inRange(query),
        orderBy: { id: 'desc' },
        take: query.limit + 1,
      }),

    findCategory: (id: string): Promise<StoredCategory | null> =>
      prisma.category.findUnique({ where: { id } }),

    /** For display only: a cache may be in front of this one. */
    viewCategory: (id: string): Promise<CategoryView | null> =>
      prisma.category.findUnique({ where: { id } }),

    createCategory: (category: NewCategory): Promise<StoredCategory> =>
      insertCategory(prisma, category),

    /** 'key_used', and nothing written, when the key is known. */
    createCategoryOnce: (category: NewCategory & { id: string }, creation: Creation) =>
      onceForKey(prisma, category.id, creation, (tx) => insertCategory(tx, category)),

    listCategoryIds: async (after: string | undefined, limit: number): Promise<string[]> =>
      ids(await prisma.category.findMany(idPage(after, limit))),

    async listProducts(query: ProductQuery): Promise<StoredProduct[]> {
      const { limit, categoryId, accountId } = query
      const where =
        query.text === undefined
          ? { ...inRange(query), categoryId, accountId, ...withdrawnIf(query.withdrawn) }
          : {
              id: {
                in: await findByText(prisma, { ...query, text: query.text, limit: limit + 1 }),
              },
            }
      return prisma.product.findMany({ where, orderBy: { id: 'desc' }, take: limit + 1 })
    },

    findProduct: (id: string): Promise<StoredProduct | null> =>
      prisma.product.findUnique({ where: { id } }),

    /** For display only: a cache may be in front of this one. */
    viewProduct: (id: string): Promise<ProductView | null> =>
      prisma.product.findUnique({ where: { id } }),

    listProductIds: async (after: string | undefined, limit: number): Promise<string[]> =>
      ids(await prisma.product.findMany(idPage(after, limit))),

    findOffers: (ids: string[]): Promise<Offer[]> =>
      prisma.$queryRaw<Offer[]>`
        SELECT id, account_id AS "accountId", name, price, stock, withdrawn_at IS NOT NULL AS withdrawn
        FROM products WHERE id = ANY(${ids}::uuid[])`,

    /** Undefined when there is no such category. */
    createProduct: (product: NewProduct): Promise<StoredProduct | undefined> =>
      unlessCategoryUnknown(insertProduct(prisma, product)),

    /** Undefined when there is no such category; 'key_used', and nothing written, when the key is known. */
    createProductOnce: (product: NewProduct & { id: string }, creation: Creation) =>
      unlessCategoryUnknown(
        onceForKey(prisma, product.id, creation, (tx) => insertProduct(tx, product)),
      ),

    /** What was created under a key. */
    findCreation: (accountId: string, idempotencyKey: string) =>
      prisma.creation.findUnique({
        where: { accountId_idempotencyKey: { accountId, idempotencyKey } },
      }),

    /** Purges keys that were used so long ago, at most `limit`; the number of them. */
    purgeCreations: (days: number, limit: number): PromiseLike<number> =>
      prisma.$executeRaw`
        DELETE FROM creations WHERE (account_id, idempotency_key) IN (
          SELECT account_id, idempotency_key FROM creations
          WHERE created_at < now() - make_interval(days => ${days}::int)
          ORDER BY created_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)`,

    /** Undefined when there is no such category; 'changed', and nothing written, unless it is as `expected`. */
    async updateProduct(
      id: string,
      { category_id: categoryId, brand_name: brandName, ...fields }: UpdateProduct,
      expected?: EditableProduct,
    ): Promise<StoredProduct | 'changed' | undefined> {
      const rows = await unlessCategoryUnknown(
        prisma.product.updateManyAndReturn({
          where: { id, ...expected },
          data: { ...fields, categoryId, brandName },
        }),
      )
      return rows && (rows[0] ?? 'changed')
    },

    lateIds: lateIdsOf(prisma),

    /** Removes old rows of the inbox; those of purchases that are open here stay. */
    purgeInbox: (after: string) =>
      purgeInboxBatch(prisma, sql`SELECT purchase_id FROM holds WHERE status = 'HELD'`, after),

    isReachable: () => isDatabaseReachable(prisma),
    close: () => prisma.$disconnect(),
  }
}

/** The statements of a transaction. */
function inTransaction(tx: Prisma.TransactionClient) {
  return {
    sql: tx as Sql,
    ...holdsInTransaction(tx),
    ...inventoryInTransaction(tx),
  }
}

function insertCategory(tx: Prisma.TransactionClient, data: NewCategory) {
  return tx.category.create({ data })
}

function insertProduct(tx: Prisma.TransactionClient, { inventory, ...product }: NewProduct) {
  return tx.product.create({ data: { ...product, stock: inventory, received: inventory } })
}

/** Creates what has `id`, together with the key that it is created under, unless that key is known. */
function onceForKey<T>(
  prisma: PrismaClient,
  id: string,
  creation: Creation,
  create: (tx: Prisma.TransactionClient) => Promise<T>,
): Promise<T | 'key_used'> {
  return prisma.$transaction(async (tx) => {
    const data = { ...creation, createdId: id }
    const { count } = await tx.creation.createMany({ data, skipDuplicates: true })
    return count === 0 ? 'key_used' : create(tx)
  })
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

    async remove(filter, ids: LateId[]) {
      await prisma.lateId.deleteMany({ where: { filter, OR: ids } })
    },
  }
}

function withdrawnIf(withdrawn: boolean | undefined) {
  return withdrawn === undefined ? {} : { withdrawnAt: withdrawn ? { not: null } : null }
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
