import assert from 'node:assert/strict'
import { pino } from 'pino'
import { createAuthentication } from '../../shared/auth.ts'
import { type Order, orderRoutes } from '../../shared/contracts/order.ts'
import { startHttpServer } from '../../shared/http.ts'
import { commandId, newId } from '../../shared/ids.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createHandlers } from './http.ts'
import { connectRepository } from './repository.ts'
import { createOrderService } from './service.ts'

/** Of an answer: an order, a page of them or a problem. */
type Body = Order & { items: Order[]; next_cursor: string | null; detail?: string }

describe('order HTTP', () => {
  const resources = new AsyncDisposableStack()
  let base: string
  let createOrder: ReturnType<typeof createOrderService>['createOrder']

  before(async () => {
    const database = resources.adopt(await createTestDatabase('order'), (open) => open.close())
    const repository = resources.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
      (open) => open.close(),
    )
    const logger = pino({ level: 'silent' })
    const metrics = createMetrics('order')
    const service = createOrderService({
      repository,
      publish: async () => undefined,
      logger,
      metrics,
      overdueMs: 60_000,
    })
    createOrder = service.createOrder
    const server = resources.adopt(
      await startHttpServer({
        host: '127.0.0.1',
        port: 0,
        logger,
        metrics,
        health: { database: repository.answers },
        routes: orderRoutes,
        handlers: createHandlers(service),
        authenticate: createAuthentication(testTokens.config),
      }),
      (open) => open.close(),
    )
    base = `http://127.0.0.1:${server.port}`
  })

  after(() => resources.disposeAsync())

  async function get(path: string, accountId?: string) {
    const headers = accountId
      ? { authorization: `Bearer ${testTokens.tokenFor(accountId)}` }
      : undefined
    const response = await fetch(`${base}/api/v1${path}`, { headers })
    return { status: response.status, body: (await response.json()) as Body }
  }

  async function place(customerId: string): Promise<string> {
    const purchaseId = newId()
    await createOrder({
      name: 'createOrder',
      commandId: commandId(purchaseId, 'create-order'),
      purchaseId,
      deadline: undefined,
      body: {
        customer_id: customerId,
        lines: [
          { product_id: newId(), quantity: 1, name: 'Tea', unit_price: 100 },
          { product_id: newId(), quantity: 3, name: 'Cup', unit_price: 50 },
        ],
        amount: 250,
        currency_code: 'VND',
      },
    })
    return purchaseId
  }

  it("GET /orders/:id answers with the caller's order", async () => {
    const customer = newId()
    const id = await place(customer)
    const { status, body } = await get(`/orders/${id}`, customer)
    assert.equal(status, 200)
    assert.deepEqual(
      [body.id, body.status, body.amount, body.currency_code, body.lines.length],
      [id, 'PENDING', 250, 'VND', 2],
    )
    assert.ok(!('customer_id' in body))
  })

  it('GET /orders/:id does not tell a foreign order from a missing one', async () => {
    const id = await place(newId())
    const foreign = await get(`/orders/${id}`, newId())
    const missing = await get(`/orders/${newId()}`, newId())
    assert.equal(foreign.status, 404)
    assert.equal(missing.status, 404)
    assert.equal(foreign.body.detail, missing.body.detail)
    assert.equal((await get('/orders/1', newId())).status, 400)
  })

  it('GET /orders pages through own orders, newest first', async () => {
    const customer = newId()
    const ids = []
    for (let i = 0; i < 5; i++) ids.push(await place(customer))
    await place(newId())

    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const { body } = await get(`/orders?limit=2${cursor && `&cursor=${cursor}`}`, customer)
      seen.push(...body.items.map((order) => order.id))
      cursor = body.next_cursor
    }
    assert.deepEqual(seen, ids.reverse())
    assert.deepEqual((await get('/orders', newId())).body, { items: [], next_cursor: null })
  })

  it('asks for a token', async () => {
    assert.equal((await get('/orders')).status, 401)
    assert.equal((await get(`/orders/${newId()}`)).status, 401)
  })
})
