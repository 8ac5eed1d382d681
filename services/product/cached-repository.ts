import { createBatchedRead } from '../../shared/batched-read.ts'
import { createCachedReader } from '../../shared/cache.ts'
import { createCuckooFilter } from '../../shared/cuckoo.ts'
import { newId } from '../../shared/ids.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Metrics } from '../../shared/metrics.ts'
import type { Redis } from '../../shared/redis.ts'
import type { CategoryView, ProductView, Repository } from './repository.ts'

type CachedProduct = Omit<ProductView, 'stock' | 'price'> & { price: number }

const productFields = {
  id: 'string',
  categoryId: 'string',
  accountId: 'string',
  name: 'string',
  description: 'string',
  brandName: 'string',
  price: 'number',
} as const

const categoryFields = { id: 'string', name: 'string', description: 'string' } as const

/**
 * The product database with Redis in front of its reads by id. The free stock is not kept: it changes with every
 * purchase, so it is one column, read for everybody who asks at the time together.
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
      return { id, categoryId, accountId, name, description, brandName, price: Number(price) }
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
      return stock === undefined ? null : { ...product, stock, price: BigInt(product.price) }
    },

    viewCategory: async (id) => (await categories.read(id.toLowerCase())) ?? null,

    createProduct: ({ id = newId(), ...product }) =>
      productFilter.publish(id, () => repository.createProduct({ id, ...product })),

    createCategory: ({ id = newId(), ...category }) =>
      categoryFilter.publish(id, () => repository.createCategory({ id, ...category })),

    async updateProduct(id, fields) {
      const updated = await repository.updateProduct(id, fields)
      await products.drop(id.toLowerCase())
      return updated
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
