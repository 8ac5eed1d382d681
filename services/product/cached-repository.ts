import { createCuckooFilter } from '../../shared/cache/filter.ts'
import { createCachedReader } from '../../shared/cache/read-through.ts'
import type { Redis } from '../../shared/cache/redis.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { createBatchedRead } from '../../shared/database/batched-read.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { Metrics } from '../../shared/runtime/metrics.ts'
import type { CategoryView, ProductView, Repository } from './repository.ts'

/** `withdrawnAt` in ms since 1970, and 0 while the product is sold. */
type CachedProduct = Omit<ProductView, 'stock' | 'price' | 'withdrawnAt'> & {
  price: number
  withdrawnAt: number
}

const productFields = {
  id: 'string',
  categoryId: 'string',
  accountId: 'string',
  name: 'string',
  description: 'string',
  brandName: 'string',
  price: 'number',
  withdrawnAt: 'number',
} as const

const categoryFields = { id: 'string', name: 'string', description: 'string' } as const

/**
 * The product database with Redis in front of its reads by id. The free stock is not kept: it changes with every
 * purchase, so it is one column, read once for all concurrent requests.
 */
export function createCachedRepository(
  repository: Repository,
  {
    redis,
    logger,
    metrics: { registry },
    prefix = '',
  }: {
    redis: Redis
    logger: Logger
    metrics: Pick<Metrics, 'registry'>
    /** Of all keys: keeps those of a test apart. */
    prefix?: string
  },
) {
  const shared = { redis, logger, registry }
  const filtered = { ...shared, lateIds: repository.lateIds }
  const productFilter = createCuckooFilter({
    ...filtered,
    name: `${prefix}product`,
    listIds: repository.listProductIds,
  })
  const categoryFilter = createCuckooFilter({
    ...filtered,
    name: `${prefix}category`,
    listIds: repository.listCategoryIds,
    capacity: 100_000,
  })
  const products = createCachedReader<CachedProduct>({
    ...shared,
    name: `${prefix}product`,
    fields: productFields,
    filter: productFilter,
    async load(id) {
      const row = await repository.findProduct(id)
      if (!row) return undefined
      const { categoryId, accountId, name, description, brandName, price } = row
      const withdrawnAt = row.withdrawnAt?.getTime() ?? 0
      return {
        ...{ id, categoryId, accountId, name, description, brandName, withdrawnAt },
        price: Number(price),
      }
    },
  })
  const categories = createCachedReader<CategoryView>({
    ...shared,
    name: `${prefix}category`,
    fields: categoryFields,
    filter: categoryFilter,
    async load(id) {
      const row = await repository.findCategory(id)
      return row ? { id, name: row.name, description: row.description } : undefined
    },
  })
  const readStock = createBatchedRead(repository.readStock)

  const cached: Repository = {
    ...repository,

    async viewProduct(asked) {
      const id = asked.toLowerCase()
      const product = await products.read(id)
      if (!product) return null
      const stock = await readStock(id)
      if (stock === undefined) return null
      // An entry of the previous version has no such field.
      const withdrawnAt = product.withdrawnAt ? new Date(product.withdrawnAt) : null
      return { ...product, stock, withdrawnAt, price: BigInt(product.price) }
    },

    viewCategory: async (id) => (await categories.read(id.toLowerCase())) ?? null,

    createProduct: ({ id = newId(), ...product }) =>
      productFilter.publish(id, () => repository.createProduct({ id, ...product })),

    createProductOnce: (product, creation) =>
      productFilter.publish(product.id, () => repository.createProductOnce(product, creation)),

    createCategory: ({ id = newId(), ...category }) =>
      categoryFilter.publish(id, () => repository.createCategory({ id, ...category })),

    createCategoryOnce: (category, creation) =>
      categoryFilter.publish(category.id, () => repository.createCategoryOnce(category, creation)),

    async updateProduct(id, fields, expected) {
      const updated = await repository.updateProduct(id, fields, expected)
      await products.drop(id.toLowerCase())
      return updated
    },

    async withdrawOf(accountId, limit) {
      const ids = await repository.withdrawOf(accountId, limit)
      await Promise.all(ids.map((id) => products.drop(id)))
      return ids
    },

    async setWithdrawn(id, withdrawn) {
      const changed = await repository.setWithdrawn(id, withdrawn)
      await products.drop(id.toLowerCase())
      return changed
    },
  }
  return {
    repository: cached,
    filters: { product: productFilter, category: categoryFilter },
    async close() {
      await Promise.all(
        [products, categories, productFilter, categoryFilter].map((it) => it.close()),
      )
    },
  }
}
