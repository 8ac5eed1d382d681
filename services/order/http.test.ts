import assert from 'node:assert/strict'
import { pino } from 'pino'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import { type Order, orderRoutes } from '../../shared/contracts/order.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import {
  itKeepsRecordsApart,
  type OwnRecords,
  serveOwnRecords,
} from '../../test/helpers/own-records.ts'
import { createHandlers } from './http.ts'
import { connectRepository } from './repository.ts'
import { createOrderService, type OrderService } from './service.ts'

describe('order HTTP', () => {
  const resources = new AsyncDisposableStack()
  let orders: OwnRecords<Order>
  let service: OrderService

  before(async () => {
    const database = resources.adopt(await createTestDatabase('order'), (open) => open.close())
    const repository = resources.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
      (open) => open.close(),
    )
    service = createOrderService({
      repository,
      publish: async () => undefined,
      logger: pino({ level: 'silent' }),
      metrics: createMetrics('order'),
      overdueMs: 60_000,
    })
    orders = resources.adopt(
      await serveOwnRecords<Order, typeof orderRoutes>(
        'order',
        orderRoutes,
        createHandlers(service),
      ),
      (open) => open.close(),
    )
  })

  after(() => resources.disposeAsync())

  async function place(customerId: string): Promise<string> {
    const purchaseId = newId()
    await service.createOrder({
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

  function endOf(purchase_id: string): PurchaseEnded {
    const none = { customer_id: null, reason: null, failed_step: null }
    return { ...none, purchase_id, status: 'COMPLETED' }
  }

  it("GET /orders/:id answers with the caller's order", async () => {
    const customer = newId()
    const id = await place(customer)
    const { status, body } = await orders.get(`/orders/${id}`, customer)
    assert.equal(status, 200)
    assert.deepEqual(
      [body.id, body.status, body.amount, body.currency_code, body.lines.length],
      [id, 'PENDING', 250, 'VND', 2],
    )
    assert.ok(!('customer_id' in body))
  })

  it('GET /orders?status= shows the orders of that status only', async () => {
    const customer = newId()
    const [confirmed, pending] = [await place(customer), await place(customer)]
    await service.settle(endOf(confirmed))

    const shown = async (status: string) =>
      (await orders.get(`/orders?status=${status}`, customer)).body.items?.map(({ id }) => id)

    assert.deepEqual(await shown('CONFIRMED'), [confirmed])
    assert.deepEqual(await shown('PENDING'), [pending])
    assert.deepEqual(await shown('CANCELLED'), [])
    assert.equal((await orders.get('/orders?status=OPEN', customer)).status, 400)
  })

  itKeepsRecordsApart('/orders', () => orders, place)
})
