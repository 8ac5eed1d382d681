import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { connectTestRedis, uniqueName } from '../../test/helpers/redis.ts'
import { createCachedRepository } from './cached-repository.ts'
import { connectRepository, type Repository } from './repository.ts'

describe('the cached product repository', () => {
  const resources = new AsyncDisposableStack()
  let database: TestDatabase
  let plain: Repository
  let categoryId: string

  before(async () => {
    database = resources.adopt(await createTestDatabase('product'), (open) => open.close())
    plain = resources.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
      (open) => open.close(),
    )
    categoryId = (await plain.createCategory({ name: 'Tea', description: 'Leaves' })).id
  })

  after(() => resources.disposeAsync())

  /** A replica of the service; those of one prefix share their keys. */
  async function createReplica({
    nodes,
    prefix = uniqueName(),
  }: {
    nodes?: string[]
    prefix?: string
  } = {}) {
    const test = resources.adopt(await connectTestRedis(nodes), (open) => open.close())
    const metrics = { registry: test.registry }
    const cached = createCachedRepository(plain, { ...test, metrics, prefix })
    resources.adopt(cached, (open) => open.close())
    if (!nodes) {
      await waitFor('the filters', async () => {
        const { product, category } = cached.filters
        return (await product.isReady()) && (await category.isReady())
      })
    }
    return { ...cached.repository, count: test.count }
  }

  const aProduct = () => ({
    accountId: newId(),
    categoryId,
    name: 'Green tea',
    description: 'From the hills',
    brandName: 'Hill',
    price: 125,
    inventory: 10,
  })

  /** What the database has, without a cache. */
  async function truth(id: string) {
    const row = await plain.findProduct(id)
    assert.ok(row)
    const { held: _, sold: __, received: ___, createdAt: ____, updatedAt: _____, ...view } = row
    return view
  }

  it('shows what the database has, from every layer', async () => {
    const prefix = uniqueName()
    const [one, other] = [await createReplica({ prefix }), await createReplica({ prefix })]
    const { id = '' } = (await one.createProduct(aProduct())) ?? {}

    const views = [
      await one.viewProduct(id),
      await one.viewProduct(id),
      await other.viewProduct(id.toUpperCase()),
    ]

    for (const view of views) assert.deepEqual(view, await truth(id))
    assert.equal(await other.count('cache_loads_total'), 0)
  })

  it('shows at once that a product was withdrawn, in every replica a second later', async () => {
    const prefix = uniqueName()
    const [one, other] = [await createReplica({ prefix }), await createReplica({ prefix })]
    const { id = '' } = (await one.createProduct(aProduct())) ?? {}
    await one.viewProduct(id)
    await other.viewProduct(id)

    await one.setWithdrawn(id, true)

    assert.deepEqual(await one.viewProduct(id), await truth(id))
    await waitFor('the other replica', async () => (await other.viewProduct(id))?.withdrawnAt)
  })

  it('shows the free stock as it is, whatever else is kept', async () => {
    const { createProduct, viewProduct } = await createReplica()
    const { id = '' } = (await createProduct(aProduct())) ?? {}
    await viewProduct(id)
    await database.query(`UPDATE products SET stock = 3, held = 7 WHERE id = '${id}'`)

    assert.equal((await viewProduct(id))?.stock, 3)
  })

  it('knows a product while its row is being written', async () => {
    const prefix = uniqueName()
    const other = await createReplica({ prefix })
    const one = await createReplica({ prefix })
    await waitFor('the filter', async () => (await other.viewProduct(newId())) === null)

    const created = await Promise.all(
      Array.from({ length: 20 }, () => one.createProduct(aProduct())),
    )
    const views = await Promise.all(created.map((row) => other.viewProduct(row?.id ?? '')))

    assert.ok(views.every((view) => view !== null))
  })

  it('shows an update at once', async () => {
    const prefix = uniqueName()
    const [one, other] = [await createReplica({ prefix }), await createReplica({ prefix })]
    const { id = '' } = (await one.createProduct(aProduct())) ?? {}
    await one.viewProduct(id)

    await one.updateProduct(id, { price: 99 })

    assert.equal((await one.viewProduct(id))?.price, 99n)
    assert.equal((await other.viewProduct(id))?.price, 99n)
  })

  it('knows categories in the same way', async () => {
    const { createCategory, viewCategory, count } = await createReplica()
    const category = await createCategory({ name: 'Cups', description: 'To drink' })

    const view = await viewCategory(category.id)

    assert.deepEqual({ ...view }, { id: category.id, name: 'Cups', description: 'To drink' })
    assert.equal(await viewCategory(newId()), null)
    assert.equal(await count('cache_loads_total', { outcome: 'missing' }), 0)
  })

  it('adds, updates and shows without Redis', async () => {
    const noRedis = await createReplica({ nodes: ['127.0.0.1:1'] })
    const category = await noRedis.createCategory({ name: 'Cups', description: 'To drink' })
    const { id = '' } = (await noRedis.createProduct(aProduct())) ?? {}
    await noRedis.viewProduct(id)

    await noRedis.updateProduct(id, { name: 'Black tea' })

    assert.deepEqual(await noRedis.viewProduct(id), await truth(id))
    assert.equal((await noRedis.viewProduct(id))?.name, 'Black tea')
    assert.equal((await noRedis.viewCategory(category.id))?.name, 'Cups')
    assert.equal(await noRedis.viewProduct(newId()), null)
  })
})
