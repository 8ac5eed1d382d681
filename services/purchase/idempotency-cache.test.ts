import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { checkoutDefaults } from '../../test/helpers/purchase-service.ts'
import { connectTestRedis, uniqueName } from '../../test/helpers/redis.ts'
import { createCheckout } from './checkout.ts'
import { createIdempotencyCache } from './idempotency-cache.ts'
import { connectRepository, type Repository } from './repository.ts'

const tea = {
  id: newId(),
  account_id: newId(),
  name: 'Green tea',
  price: 125,
  withdrawn: false,
  stock: 9,
}
const body = (quantity = 2) => ({
  order_items: [{ product_id: tea.id, quantity }],
  payment: { currency_code: 'VND', method: 'sim_ok' as const },
})

describe('the idempotency cache', () => {
  const resources = new AsyncDisposableStack()
  let database: TestDatabase
  let repository: Repository

  before(async () => {
    database = resources.adopt(await createTestDatabase('purchase'), (open) => open.close())
    repository = resources.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
      (open) => open.close(),
    )
  })

  after(() => resources.disposeAsync())

  async function createProcess({
    nodes,
    prefix = uniqueName(),
  }: {
    nodes?: string[]
    prefix?: string
  } = {}) {
    const test = resources.adopt(await connectTestRedis(nodes), (open) => open.close())
    let asked = 0
    const { create } = createCheckout({
      ...checkoutDefaults(),
      repository: {
        ...repository,
        findByKey(...key) {
          asked += 1
          return repository.findByKey(...key)
        },
      },
      products: { GetProducts: async () => ({ products: [tea] }) },
      idempotencyCache: createIdempotencyCache({ ...test, prefix }),
    })
    return {
      test,
      asked: () => asked,
      buy: (accountId: string, key: string, quantity?: number) =>
        create({ accountId, sessionId: accountId, token: '' }, body(quantity), key),
      stored: () =>
        waitFor('the response to be stored', async () => {
          const masters = test.redis.cluster.nodes('master')
          const keys = await Promise.all(masters.map((node) => node.keys(`${prefix}*`)))
          return keys.flat().length > 0
        }),
    }
  }

  it('answers a repeat without asking the database', async () => {
    const { buy, stored, asked } = await createProcess()
    const customer = newId()
    const first = await buy(customer, 'key')
    await stored()
    const before = asked()

    assert.deepEqual(await buy(customer, 'key'), first)

    assert.equal(asked(), before)
  })

  it('gives the same answer when Redis is unavailable', async () => {
    const one = await createProcess()
    const other = await createProcess({ nodes: ['127.0.0.1:1'] })
    const customer = newId()
    const first = await one.buy(customer, 'key')
    await one.stored()

    const answers = [await one.buy(customer, 'key'), await other.buy(customer, 'key')]

    assert.deepEqual(answers, [first, first])
    assert.equal(await other.test.count('idempotency_lookups_total', { outcome: 'away' }), 1)
  })

  it('stores what the database knew and Redis did not', async () => {
    const prefix = uniqueName()
    const withoutRedis = await createProcess({ nodes: ['127.0.0.1:1'] })
    const { buy, stored, asked } = await createProcess({ prefix })
    const customer = newId()
    const first = await withoutRedis.buy(customer, 'key')

    assert.deepEqual(await buy(customer, 'key'), first)
    await stored()
    assert.deepEqual(await buy(customer, 'key'), first)

    assert.equal(asked(), 1)
  })

  it('refuses another body under the same key, from Redis and without it', async () => {
    const one = await createProcess()
    const other = await createProcess({ nodes: ['127.0.0.1:1'] })
    const customer = newId()
    await one.buy(customer, 'key', 1)
    await one.stored()

    for (const { buy } of [one, other]) {
      await assert.rejects(buy(customer, 'key', 2), { kind: 'unprocessable' })
    }
  })

  it('never returns the answer of another customer', async () => {
    const { buy, stored } = await createProcess()
    const customer = newId()
    const first = await buy(customer, 'key')
    await stored()

    assert.notEqual((await buy(newId(), 'key')).purchase_id, first.purchase_id)
  })

  it('accepts one of many that come at once, with Redis and without', async () => {
    for (const nodes of [undefined, ['127.0.0.1:1']]) {
      const { buy } = await createProcess({ ...(nodes && { nodes }) })
      const customer = newId()

      const answers = await Promise.all(Array.from({ length: 20 }, () => buy(customer, 'key')))

      assert.equal(new Set(answers.map((answer) => answer.purchase_id)).size, 1)
    }
  })

  it('treats an unreadable entry as a miss', async () => {
    const prefix = uniqueName()
    const { buy, stored, test } = await createProcess({ prefix })
    const customer = newId()
    const first = await buy(customer, 'key')
    await stored()
    for (const node of test.redis.cluster.nodes('master')) {
      for (const key of await node.keys(`${prefix}*`)) await test.redis.cluster.set(key, '{"x":1}')
    }

    assert.deepEqual(await buy(customer, 'key'), first)
  })
})
