import assert from 'node:assert/strict'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import { startTestProvider, type TestProvider } from '../../test/helpers/provider.ts'
import { connectTestRedis, uniqueName } from '../../test/helpers/redis.ts'
import { createCachedRepository } from './cached-repository.ts'
import { createProviderGuard } from './provider-guard.ts'
import { connectRepository, type PaymentRepository } from './repository.ts'
import { createPaymentService } from './service.ts'

const unavailable = ['127.0.0.1:1']

describe('the cached payment repository', () => {
  const resources = new AsyncDisposableStack()
  let plain: PaymentRepository
  let simulator: TestProvider

  before(async () => {
    const { url, close } = await createTestDatabase('payment')
    resources.defer(close)
    const config = { DATABASE_URL: url, DATABASE_POOL_SIZE: 4 }
    plain = resources.adopt(await connectRepository(config), (open) => open.close())
    simulator = resources.adopt(await startTestProvider(), (open) => open.close())
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
    const service = createPaymentService({
      repository: createCachedRepository(plain, { ...test, metrics: test, prefix }),
      provider: simulator.provider,
      guard: createProviderGuard({ slots: 64, timeoutMs: 30_000, metrics: test }),
      logger: test.logger,
    })
    const isKept = (id: string) =>
      waitFor('the payment to be kept', () => test.redis.cluster.exists(`${prefix}payment:${id}`))
    return { ...service, count: test.count, isKept }
  }

  type Replica = Awaited<ReturnType<typeof createReplica>>

  async function pay({ takePayment }: Replica, method = 'sim_ok') {
    const [id, customerId] = [newId(), newId()]
    await takePayment({
      name: 'takePayment',
      commandId: commandId(id, 'take-payment'),
      purchaseId: id,
      deadline: undefined,
      body: { customer_id: customerId, amount: 250, currency_code: 'VND', method },
    })
    return { id, customerId }
  }

  const refund = ({ refundPayment }: Replica, id: string) =>
    refundPayment({
      name: 'refundPayment',
      commandId: commandId(id, 'refund-payment'),
      purchaseId: id,
      deadline: undefined,
      body: {},
    })

  it('never shows a payment CAPTURED once it is REFUNDED, even if it was read before', async () => {
    const prefix = uniqueName()
    const replicas = [await createReplica({ prefix }), await createReplica({ prefix })] as const
    const { id, customerId } = await pay(replicas[0])
    for (const { getPayment } of replicas) {
      assert.equal((await getPayment(customerId, id)).status, 'CAPTURED')
    }

    await refund(replicas[0], id)

    for (const { getPayment } of replicas) {
      assert.equal((await getPayment(customerId, id)).status, 'REFUNDED')
    }
  })

  it('keeps what was declined or refunded, and shows it to its owner only', async () => {
    const prefix = uniqueName()
    const [one, other] = [await createReplica({ prefix }), await createReplica({ prefix })]
    const declined = await pay(one, 'sim_declined')
    const refunded = await pay(one)
    await refund(one, refunded.id)

    for (const { id, customerId } of [declined, refunded]) {
      const shown = await one.getPayment(customerId, id)
      await one.isKept(id)
      assert.deepEqual(await other.getPayment(customerId, id), shown)
      assert.deepEqual(await other.getPayment(customerId, id), shown)
      await assert.rejects(other.getPayment(newId(), id), { kind: 'not_found' })
      assert.ok(!('customerId' in shown))
    }

    assert.equal(await other.count('cache_loads_total'), 0)
    assert.equal(await other.count('cache_reads_total', { layer: 'redis' }), 2)
  })

  it('shows the same without Redis', async () => {
    const replica = await createReplica({ nodes: unavailable })
    const { id, customerId } = await pay(replica)
    assert.equal((await replica.getPayment(customerId, id)).status, 'CAPTURED')

    await refund(replica, id)

    assert.equal((await replica.getPayment(customerId, id)).status, 'REFUNDED')
    await assert.rejects(replica.getPayment(newId(), id), { kind: 'not_found' })
  })
})
