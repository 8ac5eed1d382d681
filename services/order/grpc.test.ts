import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { connectGrpc, type GrpcClient } from '../../shared/grpc/client.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { createLogger } from '../../shared/runtime/logger.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import { createGrpcHandlers } from './grpc.ts'
import { connectRepository } from './repository.ts'

describe('the gRPC calls of order', () => {
  const open = new AsyncDisposableStack()
  const [id, customerId] = [newId(), newId()]
  let client: GrpcClient<'order'>

  before(async () => {
    const database = open.adopt(await createTestDatabase('order'), (it) => it.close())
    const repository = open.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 2 }),
      (it) => it.close(),
    )
    await database.query(
      `INSERT INTO orders (id, customer_id, status, amount, currency_code)
       VALUES ('${id}', '${customerId}', 'PENDING', 250, 'VND')`,
    )
    const server = open.adopt(
      await startGrpcServer({
        service: 'order',
        host: '127.0.0.1',
        port: 0,
        logger: createLogger('order', 'silent'),
        handlers: createGrpcHandlers(repository),
      }),
      (it) => it.close(),
    )
    client = open.adopt(
      connectGrpc('order', `127.0.0.1:${server.port}`, { deadlineMs: 30_000 }),
      (it) => it.close(),
    )
  })

  after(() => open.disposeAsync())

  it('GetOrders shows existing orders of any customer', async () => {
    const { orders } = await client.GetOrders({ order_ids: [newId(), id] })

    const [{ created_at, updated_at, ...order } = assert.fail()] = orders
    assert.equal(orders.length, 1)
    const money = { amount: 250, currency_code: 'VND' }
    assert.deepEqual(order, { id, customer_id: customerId, status: 'PENDING', ...money })
    assert.ok(created_at > 0 && updated_at >= created_at)
  })

  it('GetOrders refuses ids that are none, and more than 100', async () => {
    const many = Array.from({ length: 101 }, newId)

    await assert.rejects(client.GetOrders({ order_ids: ['1'] }), { kind: 'invalid' })
    await assert.rejects(client.GetOrders({ order_ids: many }), { kind: 'invalid' })
  })
})
