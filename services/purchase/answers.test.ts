import assert from 'node:assert/strict'
import { pino } from 'pino'
import { waitFor } from '../../scripts/wait-for.ts'
import { AppError } from '../../shared/errors.ts'
import { newId } from '../../shared/ids.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { connectTestRedis, uniqueName } from '../../test/helpers/redis.ts'
import { createAnswers } from './answers.ts'
import { createProgressFeed } from './progress-feed.ts'
import { connectRepository, type Repository } from './repository.ts'
import { createPurchaseService } from './service.ts'

const tea = { id: newId(), account_id: newId(), name: 'Green tea', price: 125 }
const body = (quantity = 2) => ({
  order_items: [{ product_id: tea.id, quantity }],
  payment: { currency_code: 'VND', method: 'sim_ok' as const },
})

describe('idempotency answers', () => {
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
    const { create } = createPurchaseService({
      repository: {
        ...repository,
        findByKey(...key) {
          asked += 1
          return repository.findByKey(...key)
        },
      },
      accounts: {
        Authenticate: async ({ access_token }) => {
          if (access_token === 'revoked') throw new AppError('unauthorized', 'the account is gone')
          return { account_id: '', email_verified: false }
        },
        close: () => undefined,
      },
      sagas: { Cancel: async () => ({ verdict: 'CANCELLING' }) },
      overdueMs: 300_000,
      products: {
        GetProducts: async () => ({ products: [tea] }),
        CheckProducts: async () => ({ checks: [] }),
        close: () => undefined,
      },
      publish: async () => undefined,
      answers: createAnswers({ ...test, prefix }),
      feed: resources.adopt(createProgressFeed({ ...test, repository, prefix }), (open) =>
        open.close(),
      ),
      currencyCode: 'VND',
      requireVerifiedEmail: false,
      logger: pino({ level: 'silent' }),
    })
    return {
      test,
      asked: () => asked,
      buy: (accountId: string, key: string, quantity?: number, token = '') =>
        create({ accountId, sessionId: accountId, token }, body(quantity), key),
      kept: () =>
        waitFor('the answer to be kept', async () => {
          const masters = test.redis.cluster.nodes('master')
          const keys = await Promise.all(masters.map((node) => node.keys(`${prefix}*`)))
          return keys.flat().length > 0
        }),
    }
  }

  it('answers a repeat without asking the database', async () => {
    const { buy, kept, asked } = await createProcess()
    const customer = newId()
    const first = await buy(customer, 'key')
    await kept()
    const before = asked()

    assert.deepEqual(await buy(customer, 'key'), first)

    assert.equal(asked(), before)
  })

  it('answers the same with Redis gone', async () => {
    const one = await createProcess()
    const other = await createProcess({ nodes: ['127.0.0.1:1'] })
    const customer = newId()
    const first = await one.buy(customer, 'key')
    await one.kept()

    const answers = [await one.buy(customer, 'key'), await other.buy(customer, 'key')]

    assert.deepEqual(answers, [first, first])
    assert.equal(await other.test.count('idempotency_lookups_total', { outcome: 'away' }), 1)
  })

  it('keeps what the database knew and Redis did not', async () => {
    const prefix = uniqueName()
    const away = await createProcess({ nodes: ['127.0.0.1:1'] })
    const { buy, kept, asked } = await createProcess({ prefix })
    const customer = newId()
    const first = await away.buy(customer, 'key')

    assert.deepEqual(await buy(customer, 'key'), first)
    await kept()
    assert.deepEqual(await buy(customer, 'key'), first)

    assert.equal(asked(), 1)
  })

  it('refuses another body under the same key, from Redis and without it', async () => {
    const one = await createProcess()
    const other = await createProcess({ nodes: ['127.0.0.1:1'] })
    const customer = newId()
    await one.buy(customer, 'key', 1)
    await one.kept()

    for (const { buy } of [one, other]) {
      await assert.rejects(buy(customer, 'key', 2), { kind: 'unprocessable' })
    }
  })

  it('tells nobody the answer of another customer, or of an account that is gone', async () => {
    const { buy, kept } = await createProcess()
    const customer = newId()
    const first = await buy(customer, 'key')
    await kept()

    assert.notEqual((await buy(newId(), 'key')).purchase_id, first.purchase_id)
    await assert.rejects(buy(customer, 'key', 2, 'revoked'), { kind: 'unauthorized' })
  })

  it('accepts one of many that come at once, with Redis and without', async () => {
    for (const nodes of [undefined, ['127.0.0.1:1']]) {
      const { buy } = await createProcess({ ...(nodes && { nodes }) })
      const customer = newId()

      const answers = await Promise.all(Array.from({ length: 20 }, () => buy(customer, 'key')))

      assert.equal(new Set(answers.map((answer) => answer.purchase_id)).size, 1)
    }
  })

  it('takes what it cannot read for a miss', async () => {
    const prefix = uniqueName()
    const { buy, kept, test } = await createProcess({ prefix })
    const customer = newId()
    const first = await buy(customer, 'key')
    await kept()
    for (const node of test.redis.cluster.nodes('master')) {
      for (const key of await node.keys(`${prefix}*`)) await test.redis.cluster.set(key, '{"x":1}')
    }

    assert.deepEqual(await buy(customer, 'key'), first)
  })
})
