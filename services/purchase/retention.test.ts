import assert from 'node:assert/strict'
import { firstIdAt, newId, nilId, oldestIdAt } from '../../shared/contracts/ids.ts'
import { createLogger } from '../../shared/runtime/logger.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { storeAccepted, testDelivery } from '../../test/helpers/purchase-service.ts'
import { connectRepository, type Repository } from './repository.ts'
import { createDeliveryPurge } from './retention.ts'

const dayMs = 24 * 60 * 60_000

describe('the retention of deliveries', () => {
  const open = new AsyncDisposableStack()
  let database: TestDatabase
  let repository: Repository

  before(async () => {
    database = open.adopt(await createTestDatabase('purchase'), (it) => it.close())
    repository = open.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 2 }),
      (it) => it.close(),
    )
  })

  after(() => open.disposeAsync())

  /** A purchase that was accepted so long ago. */
  async function accepted(daysAgo: number, status: string): Promise<string> {
    const tail = newId().slice(14)
    const purchase_id = `${oldestIdAt(Date.now() - daysAgo * dayMs)}-${tail}`
    const line = { product_id: newId(), quantity: 1, name: 'Tea', unit_price: 1 }
    await storeAccepted(repository, [
      {
        ...{ purchase_id, customer_id: newId(), lines: [line], amount: 1 },
        ...{ currency_code: 'VND', payment_method: 'sim_ok' },
      },
    ])
    await database.query(`UPDATE purchases SET status = '${status}' WHERE id = '${purchase_id}'`)
    return purchase_id
  }

  const deliveryOf = async (id: string) =>
    (await database.query(`SELECT delivery FROM purchases WHERE id = '${id}'`))[0]?.delivery

  it('removes those of purchases that ended, once they are old enough, and no others', async () => {
    const [old, unfinished, young] = [
      await accepted(31, 'COMPLETED'),
      await accepted(31, 'PROCESSING'),
      await accepted(29, 'COMPLETED'),
    ]
    const logger = createLogger('purchase', 'silent')
    const purge = createDeliveryPurge({ repository, retentionDays: 30, logger })

    await purge()
    await purge()

    assert.equal(await deliveryOf(old), null)
    assert.deepEqual(await deliveryOf(unfinished), testDelivery)
    assert.deepEqual(await deliveryOf(young), testDelivery)
  })

  it('goes through all pages', async () => {
    const ids = [await accepted(90, 'REJECTED'), await accepted(80, 'CANCELLED')]
    let after = nilId
    const before = firstIdAt(Date.now() - 60 * dayMs)
    for (;;) {
      const { last } = await repository.purgeDeliveries(after, before, 1)
      if (last === undefined) break
      after = last
    }

    for (const id of ids) assert.equal(await deliveryOf(id), null)
  })
})
