import assert from 'node:assert/strict'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { NoReplyError } from '../../shared/messaging/poison.ts'
import { openProductDatabase, type ProductDatabase } from '../../test/helpers/product-database.ts'
import {
  createStock,
  done,
  line,
  rejected,
  release,
  reserve,
} from '../../test/helpers/product-stock.ts'

describe('stock that becomes free again', () => {
  let database: ProductDatabase

  before(async () => {
    database = await openProductDatabase()
  })

  after(() => database.close())

  describe('releaseStock', () => {
    it('releases held stock, once', async () => {
      const { reserveStock, releaseStock, alarms } = createStock(database.repository)
      const tea = await database.buildProduct(10)
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 4)]))

      assert.deepEqual(await releaseStock(release(purchaseId)), done)
      assert.deepEqual(await releaseStock(release(purchaseId)), done)

      assert.deepEqual(await database.counts(tea), [10, 0, 0])
      assert.deepEqual(await database.holds(purchaseId), [[4, 'RELEASED']])
      assert.equal(await alarms(), 0)
    })

    it('refuses a reservation that comes after it', async () => {
      const { reserveStock, releaseStock } = createStock(database.repository)
      const tea = await database.buildProduct(10)
      const purchaseId = newId()

      assert.deepEqual(await releaseStock(release(purchaseId)), done)
      const reply = await reserveStock(reserve(purchaseId, [line(tea, 4)]))

      assert.deepEqual(reply, rejected('undone'))
      assert.deepEqual(await database.counts(tea), [10, 0, 0])
    })

    it('releases nothing for a refused reservation', async () => {
      const { reserveStock, releaseStock, alarms } = createStock(database.repository)
      const tea = await database.buildProduct(1)
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 4)]))

      assert.deepEqual(await releaseStock(release(purchaseId)), done)

      assert.deepEqual(await database.counts(tea), [1, 0, 0])
      assert.equal(await alarms(), 0)
    })

    it('leaves nothing held when it meets its reservation at the same moment', async () => {
      const { reserveStock, releaseStock } = createStock(database.repository)
      const tea = await database.buildProduct(100)

      const replies = await Promise.all(
        Array.from({ length: 15 }, async (_, index) => {
          const purchaseId = newId()
          const both = [
            () => reserveStock(reserve(purchaseId, [line(tea, 3)])),
            () => releaseStock(release(purchaseId)),
          ]
          if (index % 2 === 1) both.reverse()
          const [first, second] = await Promise.all(both.map((run) => run()))
          return index % 2 === 1 ? first : second
        }),
      )

      assert.ok(replies.every((reply) => reply?.outcome === 'done'))
      assert.deepEqual(await database.counts(tea), [100, 0, 0])
    })

    it('counts an alarm for sold stock, and does not change it', async () => {
      const { reserveStock, releaseStock, end, alarms } = createStock(database.repository)
      const tea = await database.buildProduct(10)
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 4)]))
      await end(purchaseId, 'COMPLETED')

      await releaseStock(release(purchaseId))

      assert.deepEqual(await database.counts(tea), [6, 0, 4])
      assert.equal(await alarms(), 1)
    })
  })

  describe('returnStock', () => {
    const putBack = (purchaseId: string, ...product_ids: string[]): Command<'returnStock'> => {
      const refund_id = newId()
      const id = commandId(refund_id, 'return-stock')
      const body = { refund_id, product_ids }
      return { name: 'returnStock', commandId: id, purchaseId, deadline: undefined, body }
    }

    it('frees what was sold, once, and of the named products only', async () => {
      const { reserveStock, returnStock, end, alarms } = createStock(database.repository)
      const [tea, cup] = [await database.buildProduct(10), await database.buildProduct(10)]
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 4), line(cup, 1)]))
      await end(purchaseId, 'COMPLETED')

      const command = putBack(purchaseId, tea)
      const replies = await Promise.all([1, 2, 3].map(() => returnStock(command)))
      assert.deepEqual(replies, [done, done, done])
      // Another refund, which asks for the same.
      assert.deepEqual(await returnStock(putBack(purchaseId, tea)), done)

      assert.deepEqual(await database.counts(tea), [10, 0, 0])
      assert.deepEqual(await database.counts(cup), [9, 0, 1])
      await end(purchaseId, 'COMPLETED')
      assert.deepEqual(await database.counts(tea), [10, 0, 0])
      assert.equal(await alarms(), 0)
    })

    it('waits for the end of the purchase, which may come later', async () => {
      const { reserveStock, returnStock, end } = createStock(database.repository)
      const tea = await database.buildProduct(10)
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 4)]))
      const command = putBack(purchaseId, tea)

      await assert.rejects(returnStock(command), NoReplyError)
      assert.deepEqual(await database.counts(tea), [6, 4, 0])
      await end(purchaseId, 'COMPLETED')

      assert.deepEqual(await returnStock(command), done)
      assert.deepEqual(await database.counts(tea), [10, 0, 0])
    })
  })
})
