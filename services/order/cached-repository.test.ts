import assert from 'node:assert/strict'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { connectTestRedis, uniqueName } from '../../test/helpers/redis.ts'
import { createCachedRepository } from './cached-repository.ts'
import { connectRepository, type OrderRepository } from './repository.ts'
import { createOrderService } from './service.ts'

const noRedis = ['127.0.0.1:1']

describe('the cached order repository', () => {
  const resources = new AsyncDisposableStack()
  let database: TestDatabase
  let plain: OrderRepository

  before(async () => {
    database = resources.adopt(await createTestDatabase('order'), (open) => open.close())
    plain = resources.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
      (open) => open.close(),
    )
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
    const service = createOrderService({
      repository: createCachedRepository(plain, { ...test, metrics: test, prefix }),
      publish: async () => undefined,
      logger: test.logger,
      metrics: createMetrics('order'),
      overdueMs: 60_000,
    })
    const isKept = (id: string) =>
      waitFor('the order to be kept', () => test.redis.cluster.exists(`${prefix}order:${id}`))
    return { ...service, count: test.count, isKept }
  }

  async function place(customerId = newId()) {
    const purchaseId = newId()
    const command: Command<'createOrder'> = {
      name: 'createOrder',
      commandId: commandId(purchaseId, 'create-order'),
      purchaseId,
      deadline: undefined,
      body: {
        customer_id: customerId,
        lines: [
          { product_id: newId(), quantity: 1, name: 'Trà "xanh"\n🍵', unit_price: 100 },
          { product_id: newId(), quantity: 3, name: 'Cup', unit_price: 50 },
        ],
        amount: 250,
        currency_code: 'VND',
      },
    }
    await plain.insertOrder(command)
    return { id: purchaseId, customerId }
  }

  const cancel = (id: string) => plain.transaction((tx) => tx.cancelOrder(id))
  const ends = { CONFIRMED: (id: string) => plain.confirmOrder(id), CANCELLED: cancel }

  for (const [status, end] of Object.entries(ends)) {
    it(`shows an order that is ${status} as it is, from every layer`, async () => {
      const prefix = uniqueName()
      const [one, other] = [await createReplica({ prefix }), await createReplica({ prefix })]
      const { id, customerId } = await place()
      await end(id)
      const { customerId: _, ...truth } = (await plain.findOrder(id)) ?? {}

      const shown = [await one.getOrder(customerId, id)]
      await one.isKept(id)
      shown.push(
        await other.getOrder(customerId, id.toUpperCase()),
        await other.getOrder(customerId, id),
      )

      assert.deepEqual(shown, [truth, truth, truth])
      assert.equal(shown[0]?.status, status)
      assert.equal(await other.count('cache_loads_total'), 0)
      assert.equal(await other.count('cache_reads_total', { cache: `${prefix}order` }), 2)
    })

    it(`never shows an order PENDING once it is ${status}, even if it was read before`, async () => {
      const prefix = uniqueName()
      const replicas = [await createReplica({ prefix }), await createReplica({ prefix })]
      const { id, customerId } = await place()
      for (const { getOrder } of replicas) {
        assert.equal((await getOrder(customerId, id)).status, 'PENDING')
      }

      await end(id)

      for (const { getOrder } of replicas) {
        assert.equal((await getOrder(customerId, id)).status, status)
      }
    })
  }

  it('never shows the order of another customer, from any layer', async () => {
    const prefix = uniqueName()
    const [one, other] = [await createReplica({ prefix }), await createReplica({ prefix })]
    const { id, customerId } = await place()
    await plain.confirmOrder(id)
    await assert.rejects(one.getOrder(newId(), id), { kind: 'not_found' })
    await one.isKept(id)

    await assert.rejects(other.getOrder(newId(), id), { kind: 'not_found' })
    await assert.rejects(other.getOrder(newId(), id), { kind: 'not_found' })

    assert.equal((await other.getOrder(customerId, id)).id, id)
    assert.equal(await other.count('cache_loads_total'), 0)
  })

  it('shows the same without Redis', async () => {
    const { getOrder } = await createReplica({ nodes: noRedis })
    const { id, customerId } = await place()
    assert.equal((await getOrder(customerId, id)).status, 'PENDING')

    await plain.confirmOrder(id)

    assert.equal((await getOrder(customerId, id)).status, 'CONFIRMED')
    await assert.rejects(getOrder(newId(), id), { kind: 'not_found' })
    await assert.rejects(getOrder(customerId, newId()), { kind: 'not_found' })
  })
})
