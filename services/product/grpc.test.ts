import assert from 'node:assert/strict'
import { pino } from 'pino'
import { newId } from '../../shared/contracts/ids.ts'
import { connectGrpc, type GrpcClient } from '../../shared/grpc/client.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import { createGrpcHandlers } from './grpc.ts'
import { connectRepository, type Repository } from './repository.ts'
import { createProductService } from './service.ts'

describe('product.ProductService', () => {
  const resources = new AsyncDisposableStack()
  const accountId = newId()
  let repository: Repository
  let client: GrpcClient<'product'>
  let tea: string
  let cup: string

  before(async () => {
    const database = resources.adopt(await createTestDatabase('product'), (open) => open.close())
    repository = resources.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 2 }),
      (open) => open.close(),
    )
    const logger = pino({ level: 'silent' })
    const service = createProductService({
      repository,
      publish: async () => undefined,
      logger,
      metrics: createMetrics('product'),
      currencyCode: 'VND',
      categoriesBy: 'anybody',
      overdueMs: 60_000,
    })
    const server = resources.adopt(
      await startGrpcServer({
        service: 'product',
        host: '127.0.0.1',
        port: 0,
        logger,
        handlers: createGrpcHandlers(service, repository),
      }),
      (open) => open.close(),
    )
    client = resources.adopt(
      connectGrpc('product', `127.0.0.1:${server.port}`, { deadlineMs: 30_000 }),
      (open) => open.close(),
    )
    tea = await addProduct('Tea', 125, 10)
    cup = await addProduct('Cup', 2 ** 40, 0)
  })

  after(() => resources.disposeAsync())

  async function addProduct(name: string, price: number, inventory: number): Promise<string> {
    const { id: categoryId } = await repository.createCategory({ name, description: name })
    const product = await repository.createProduct({
      accountId,
      categoryId,
      name,
      description: name,
      brandName: 'Hill',
      price,
      inventory,
    })
    assert.ok(product)
    return product.id
  }

  it('GetProducts gives names, prices and free stock, and leaves out what does not exist', async () => {
    const { products } = await client.GetProducts({ product_ids: [tea, newId(), cup, tea] })

    assert.deepEqual(
      products.toSorted((a, b) => a.price - b.price),
      [
        { id: tea, account_id: accountId, name: 'Tea', price: 125, withdrawn: false, stock: 10 },
        { id: cup, account_id: accountId, name: 'Cup', price: 2 ** 40, withdrawn: false, stock: 0 },
      ],
    )
    assert.deepEqual(await client.GetProducts({ product_ids: [] }), { products: [] })
  })

  it('CheckProducts tells what exists and what is free, lines of one product together', async () => {
    const unknown = newId()

    const { checks } = await client.CheckProducts({
      lines: [
        { product_id: tea, quantity: 6 },
        { product_id: cup, quantity: 1 },
        { product_id: unknown, quantity: 1 },
        { product_id: tea, quantity: 4 },
      ],
    })

    assert.deepEqual(checks, [
      { product_id: tea, exists: true, in_stock: true },
      { product_id: cup, exists: true, in_stock: false },
      { product_id: unknown, exists: false, in_stock: false },
    ])
  })

  it('GetHolds shows what a purchase holds, with the counts of each product', async () => {
    const purchaseId = newId()
    const command = { commandId: `${purchaseId}/reserve-stock`, purchaseId }
    await repository.holdStock(command as never, [{ productId: tea, quantity: 3 }])

    const { holds } = await client.GetHolds({ purchase_id: purchaseId })
    const none = await client.GetHolds({ purchase_id: newId() })

    const [{ updated_at: updatedAt = 0, ...hold } = {}] = holds
    assert.ok(Math.abs(Date.now() - updatedAt) < 60_000)
    const counts = { stock: 7, held: 3, sold: 0, received: 10 }
    assert.deepEqual(hold, { product_id: tea, quantity: 3, status: 'HELD', ...counts })
    assert.equal(holds.length, 1)
    assert.deepEqual(none, { holds: [] })
    await assert.rejects(client.GetHolds({ purchase_id: '1' }), { kind: 'invalid' })
  })

  it('refuses ids that are none, quantities that are none, and more than 100', async () => {
    const invalid = { kind: 'invalid' }
    const ids = Array.from({ length: 101 }, () => tea)

    await assert.rejects(client.GetProducts({ product_ids: ['1'] }), invalid)
    await assert.rejects(client.GetProducts({ product_ids: ids }), invalid)
    await assert.rejects(
      client.CheckProducts({ lines: [{ product_id: tea, quantity: 0 }] }),
      invalid,
    )
    await assert.rejects(
      client.CheckProducts({ lines: ids.map((product_id) => ({ product_id, quantity: 1 })) }),
      invalid,
    )
  })
})
