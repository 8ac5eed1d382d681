import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import type { Caller } from '../../shared/http/auth.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import { noLimits, serviceDefaults } from '../../test/helpers/purchase-service.ts'
import { connectRepository } from './repository.ts'
import { createPurchaseService, type PurchaseService } from './service.ts'

const body = {
  order_items: [{ product_id: newId(), quantity: 1 }],
  payment: { currency_code: 'VND', method: 'sim_ok' as const },
}

describe('a customer with too many unfinished purchases', () => {
  const open = new AsyncDisposableStack()
  const limits = {
    ...noLimits,
    maxUnfinishedPerCustomer: 3,
    maxUnfinished: 8,
  }
  let service: PurchaseService
  const published: string[] = []
  let asked = 0

  before(async () => {
    const database = open.adopt(await createTestDatabase('purchase'), (it) => it.close())
    const repository = open.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
      (it) => it.close(),
    )
    service = createPurchaseService({
      ...serviceDefaults(),
      limits,
      repository,
      products: {
        async GetProducts({ product_ids }) {
          asked += 1
          return {
            products: product_ids.map((id) => ({
              id,
              account_id: id,
              name: 'Tea',
              price: 1,
              withdrawn: false,
              stock: 1_000,
            })),
          }
        },
      },
      sagas: { Cancel: async () => ({ verdict: 'CANCELLING' }) },
      feed: { note: () => undefined } as never,
      publish: async (_topic, { key }) => void published.push(key),
    })
  })

  after(() => open.disposeAsync())

  const callerOf = (accountId: string): Caller => ({ accountId, sessionId: accountId, token: '' })
  const buy = (customer: string, key?: string) =>
    service.checkout.create(callerOf(customer), body, key)
  const end = (purchase_id: string) =>
    service.progress.end({
      purchase_id,
      customer_id: null,
      status: 'COMPLETED',
      reason: null,
      failed_step: null,
    })
  const tooMany = { kind: 'too_many_requests', retryAfterSeconds: 5 }

  it('is answered 429 until one has ended, while others buy', async () => {
    const [greedy, stranger] = [newId(), newId()]
    const ids = []
    for (let index = 0; index < 3; index++) ids.push((await buy(greedy)).purchase_id)

    await assert.rejects(buy(greedy), tooMany)
    const before = asked
    await assert.rejects(buy(greedy), tooMany)
    assert.equal(asked, before, 'the second refusal asks nobody')
    ids.push((await buy(stranger)).purchase_id)

    await end(ids[0] ?? '')
    const next = await waitFor('room', () => buy(greedy).catch(() => undefined))
    await Promise.all([...ids, next.purchase_id].map(end))
  })

  it('still gets the first answer to a key that was used', async () => {
    const greedy = newId()
    const firsts = []
    for (const key of ['1', '2', '3']) firsts.push(await buy(greedy, key))
    await assert.rejects(buy(greedy, '4'), tooMany)

    assert.deepEqual(await buy(greedy, '1'), firsts[0])
    await Promise.all(firsts.map(({ purchase_id }) => end(purchase_id)))
    assert.deepEqual(await buy(greedy, '1'), firsts[0])
  })

  it('is treated like others when all have too many: everyone is answered 503', async () => {
    const ids = []
    for (let index = 0; index < 8; index++) ids.push((await buy(newId())).purchase_id)
    await service.unfinished.count()

    await assert.rejects(buy(newId()), { kind: 'unavailable', retryAfterSeconds: 5 })
    await Promise.all(ids.map(end))
    await service.unfinished.count()
    await end((await buy(newId())).purchase_id)
  })
})
