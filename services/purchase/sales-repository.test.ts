import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import type { PurchaseStatus } from '../../shared/contracts/purchase.ts'
import { purchaseStatuses } from '../../shared/contracts/statuses.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { noStartLimits, testDelivery } from '../../test/helpers/purchase-service.ts'
import { connectRepository, type Repository } from './repository.ts'

type Ended = Exclude<PurchaseStatus, 'ACCEPTED' | 'PROCESSING' | 'CANCELLING'>

describe('the sales of a seller', () => {
  const open = new AsyncDisposableStack()
  const [seller, product] = [newId(), newId()]
  let database: TestDatabase
  let repository: Repository
  /** The sale that was made for each status. */
  const made = new Map<PurchaseStatus, string>()

  before(async () => {
    database = open.adopt(await createTestDatabase('purchase'), (it) => it.close())
    repository = open.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 2 }),
      (it) => it.close(),
    )
    for (const status of purchaseStatuses) made.set(status, await sell(seller))
    const idOf = (status: PurchaseStatus) => made.get(status) ?? ''
    const step = { sequence: 1, name: 'reserve-stock', outcome: 'done', reason: null }
    const at = new Date()
    await repository.addProgress([{ ...step, purchaseId: idOf('PROCESSING'), at }])
    await database.query(
      `UPDATE purchases SET cancel_requested_at = now() WHERE id = '${idOf('CANCELLING')}'`,
    )
    for (const status of ['COMPLETED', 'REJECTED', 'CANCELLED', 'RESOLVED'] as const) {
      await end(idOf(status), status)
    }
    await end(await sell(newId()), 'REJECTED')
  })

  after(() => open.disposeAsync())

  async function sell(seller_id: string): Promise<string> {
    const purchase_id = newId()
    const lines = [{ product_id: product, quantity: 1, name: 'Tea', unit_price: 1 }]
    const accepted = {
      ...{ purchase_id, customer_id: newId(), lines, amount: 1 },
      ...{ currency_code: 'VND', payment_method: 'sim_ok' as const },
    }
    const sales = [{ seller_id, product_ids: [product] }]
    const stored = { accepted, delivery: testDelivery, sales, idempotencyKey: null, bodyHash: '' }
    await repository.insert([stored], 10, noStartLimits)
    return purchase_id
  }

  function end(purchase_id: string, status: Ended) {
    const of = { purchase_id, customer_id: newId(), amount: 1, currency_code: 'VND' }
    return repository.end([{ ...of, status, reason: null, failed_step: null, steps: [] }])
  }

  const listed = async (status?: PurchaseStatus) => {
    const rows = await repository.listSales(seller, { limit: 20, ...(status && { status }) })
    return rows.map(({ purchaseId }) => purchaseId)
  }

  it('are listed newest first, of whatever status', async () => {
    assert.deepEqual(await listed(), [...made.values()].reverse())
  })

  for (const status of purchaseStatuses) {
    it(`are listed that are ${status}, and no others`, async () => {
      assert.deepEqual(await listed(status), [made.get(status)])
    })
  }

  it('stay as they ended when an end is announced again', async () => {
    const rejected = made.get('REJECTED') ?? ''

    await end(rejected, 'CANCELLED')

    assert.deepEqual(await listed('REJECTED'), [rejected])
  })
})
