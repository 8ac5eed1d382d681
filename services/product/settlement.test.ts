import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { openProductDatabase, type ProductDatabase } from '../../test/helpers/product-database.ts'
import { createStock, line, release, reserve } from '../../test/helpers/product-stock.ts'

describe('the settlement of stock', () => {
  let database: ProductDatabase

  before(async () => {
    database = await openProductDatabase()
  })

  after(() => database.close())

  describe('the end of a purchase', () => {
    it('sells what a completed one holds, once', async () => {
      const { reserveStock, end, alarms } = createStock(database.repository)
      const [tea, cup] = [await database.buildProduct(10), await database.buildProduct(5)]
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 2), line(cup, 5)]))

      await Promise.all([end(purchaseId, 'COMPLETED'), end(purchaseId, 'COMPLETED')])
      await end(purchaseId, 'COMPLETED')

      assert.deepEqual(await database.counts(tea), [8, 0, 2])
      assert.deepEqual(await database.counts(cup), [0, 0, 5])
      assert.deepEqual(await database.holds(purchaseId), [
        [2, 'SOLD'],
        [5, 'SOLD'],
      ])
      assert.equal(await alarms(), 0)
    })

    it('settles many ends in few statements, and counts an alarm only for those that contradict a hold', async () => {
      const { reserveStock, releaseStock, end, alarms, asked } = createStock(database.repository)
      const [tea, cup] = [await database.buildProduct(100), await database.buildProduct(100)]
      const purchases = Array.from({ length: 20 }, newId)
      for (const id of purchases) await reserveStock(reserve(id, [line(cup, 2), line(tea, 1)]))
      const [released] = purchases
      await releaseStock(release(released ?? ''))
      asked.transactions = 0

      await Promise.all([...purchases, newId()].map((id) => end(id, 'COMPLETED')))

      assert.deepEqual(await database.counts(tea), [81, 0, 19])
      assert.deepEqual(await database.counts(cup), [62, 0, 38])
      assert.equal(await alarms(), 2)
      assert.deepEqual(asked, { transactions: 0, sales: 2 })
    })

    for (const status of ['REJECTED', 'CANCELLED', 'RESOLVED'] as const) {
      it(`has nothing left to settle when it is ${status}`, async () => {
        const { reserveStock, releaseStock, end, alarms } = createStock(database.repository)
        const tea = await database.buildProduct(10)
        const purchaseId = newId()
        await reserveStock(reserve(purchaseId, [line(tea, 2)]))
        await releaseStock(release(purchaseId))

        await end(purchaseId, status)
        await end(newId(), status)

        assert.deepEqual(await database.counts(tea), [10, 0, 0])
        assert.equal(await alarms(), 0)
      })
    }

    it('alarms and changes nothing when completed stock was released', async () => {
      const { reserveStock, releaseStock, end, alarms } = createStock(database.repository)
      const tea = await database.buildProduct(10)
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 2)]))
      await releaseStock(release(purchaseId))

      await end(purchaseId, 'COMPLETED')

      assert.deepEqual(await database.counts(tea), [10, 0, 0])
      assert.deepEqual(await database.holds(purchaseId), [[2, 'RELEASED']])
      assert.equal(await alarms(), 1)
    })

    it('counts an alarm when a completed purchase holds nothing', async () => {
      const { end, alarms } = createStock(database.repository)

      await end(newId(), 'COMPLETED')

      assert.equal(await alarms(), 1)
    })

    it('alarms and changes nothing when stock of an undone purchase is held or sold', async () => {
      const { reserveStock, end, alarms } = createStock(database.repository)
      const tea = await database.buildProduct(10)
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 2)]))

      await end(purchaseId, 'REJECTED')
      assert.deepEqual(await database.counts(tea), [8, 2, 0])
      await end(purchaseId, 'COMPLETED')
      await end(purchaseId, 'RESOLVED')

      assert.deepEqual(await database.counts(tea), [8, 0, 2])
      assert.equal(await alarms(), 2)
    })
  })

  describe('announceOverdue', () => {
    beforeEach(() => database.query(`UPDATE holds SET status = 'SOLD' WHERE status = 'HELD'`))

    it('asks for the end of purchases that hold stock for too long, each once a run', async () => {
      const { reserveStock, releaseStock, service, published } = createStock(database.repository, {
        overdueMs: 60_000,
      })
      const [tea, cup] = [await database.buildProduct(10), await database.buildProduct(10)]
      const [old, young, undone] = [newId(), newId(), newId()]
      for (const id of [old, young, undone]) {
        await reserveStock(reserve(id, [line(tea, 1), line(cup, 1)]))
      }
      await releaseStock(release(undone))
      await database.query(
        `UPDATE holds SET updated_at = now() - interval '61 seconds' WHERE purchase_id <> '${young}'`,
      )

      await service.announceOverdue()

      assert.deepEqual(
        published.map(({ key, headers }) => [key, headers?.event]),
        [[old, 'settlementOverdue']],
      )
      assert.deepEqual(JSON.parse(published[0]?.value ?? ''), { purchase_id: old })
    })

    it('continues after a full batch, then begins again with the oldest', async () => {
      const { service, published } = createStock(database.repository)
      const tea = await database.buildProduct(0)
      await database.query(`
        INSERT INTO holds (purchase_id, product_id, quantity, status, updated_at)
        SELECT gen_random_uuid(), '${tea}', 1, 'HELD', now() - interval '1 hour'
        FROM generate_series(1, 130)`)

      await service.announceOverdue()
      assert.equal(published.length, 100)
      await service.announceOverdue()
      assert.equal(new Set(published.map(({ key }) => key)).size, 130)
      await service.announceOverdue()

      assert.deepEqual(published.slice(130), published.slice(0, 100))
    })
  })
})
