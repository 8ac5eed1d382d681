import assert from 'node:assert/strict'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import { openProductDatabase, type ProductDatabase } from '../../test/helpers/product-database.ts'
import { createReplica, done, rejected } from '../../test/helpers/product-stock.ts'

describe('stock that many move at once', () => {
  let database: ProductDatabase

  before(async () => {
    database = await openProductDatabase()
  })

  after(() => database.close())

  it('counts every unit once, whatever is reserved, released and sold at the same time', async () => {
    const replicas = [createReplica(database.repository), createReplica(database.repository)]
    const received = 12
    const products = await Promise.all(
      Array.from({ length: 4 }, () => database.buildProduct(received)),
    )
    const buy = async (index: number) => {
      const [one, other] = index % 2 === 0 ? replicas : replicas.toReversed()
      const purchaseId = newId()
      const first = index % products.length
      const cart = [...products.slice(first), ...products.slice(0, first)].slice(0, 3)
      if (index % 3 === 0) cart.reverse()
      const { outcome } = (await one?.reserve(purchaseId, cart)) ?? {}
      if (outcome !== 'done') return 0
      if (index % 4 === 3) {
        await Promise.all([one?.release(purchaseId), other?.reserve(purchaseId, cart)])
        return 0
      }
      await Promise.all([one?.complete(purchaseId), other?.complete(purchaseId)])
      return cart.length
    }

    const sold = await Promise.all(Array.from({ length: 80 }, (_, index) => buy(index)))

    const all = (await Promise.all(products.map(database.counts))) as [number, number, number][]
    for (const [stock, held, bought] of all) assert.deepEqual([stock + bought, held], [received, 0])
    const total = all.reduce((sum, [, , bought]) => sum + bought, 0)
    assert.equal(
      total,
      sold.reduce((sum, units) => sum + units, 0),
    )
    assert.deepEqual(await Promise.all(replicas.map(({ alarms }) => alarms())), [0, 0])
  })

  describe('a reservation', () => {
    it('holds nothing when one of its products runs out while it waits', async () => {
      const { reserve } = createReplica(database.repository)
      const [tea, cup] = [await database.buildProduct(10), await database.buildProduct(10)]
      const purchaseId = newId()
      const buyer = await database.begin()
      await buyer.query(`UPDATE products SET stock = 1, sold = 9 WHERE id = '${cup}'`)

      const reply = reserve(purchaseId, [tea, cup], 2)
      await database.statementWaits()
      await buyer.commit()

      assert.deepEqual(await reply, rejected('out_of_stock'))
      assert.deepEqual(await reserve(purchaseId, [tea, cup], 2), rejected('out_of_stock'))
      assert.deepEqual(await database.counts(tea), [10, 0, 0])
      assert.deepEqual(await database.counts(cup), [1, 0, 9])
      assert.deepEqual(await database.statuses(purchaseId), [])
    })

    for (const [change, set, left] of [
      ['released', 'stock = 2, held = 8', [0, 10, 0]],
      ['restocked', 'stock = 2, received = 12', [0, 12, 0]],
    ] as const) {
      it(`holds stock that is ${change} while it waits`, async () => {
        const { reserve } = createReplica(database.repository)
        const tea = await database.buildProduct(10)
        assert.deepEqual(await reserve(newId(), [tea], 10), done)
        const other = await database.begin()
        await other.query(`UPDATE products SET ${set} WHERE id = '${tea}'`)

        const reply = reserve(newId(), [tea], 2)
        await database.statementWaits()
        await other.commit()

        assert.deepEqual(await reply, done)
        assert.deepEqual(await database.counts(tea), left)
      })
    }

    it('holds the remaining stock when it is sufficient', async () => {
      const { reserve } = createReplica(database.repository)
      const tea = await database.buildProduct(10)
      const buyer = await database.begin()
      await buyer.query(`UPDATE products SET stock = 2, sold = 8 WHERE id = '${tea}'`)

      const reply = reserve(newId(), [tea], 2)
      await database.statementWaits()
      await buyer.commit()

      assert.deepEqual(await reply, done)
      assert.deepEqual(await database.counts(tea), [0, 2, 8])
    })

    it('waits for its undo, and keeps no product from it meanwhile', async () => {
      const { reserve } = createReplica(database.repository)
      const tea = await database.buildProduct(10)
      const purchaseId = newId()
      const undo = await database.begin()
      await undo.query(
        `INSERT INTO inbox (command_id, undone)
         VALUES ('${commandId(purchaseId, 'reserve-stock')}', true)`,
      )

      const reply = reserve(purchaseId, [tea])
      await database.statementWaits()
      await undo.query(`SELECT FROM products WHERE id = '${tea}' FOR NO KEY UPDATE NOWAIT`)
      await undo.commit()

      assert.deepEqual(await reply, rejected('undone'))
      assert.deepEqual(await database.counts(tea), [10, 0, 0])
    })

    it('is no hold without its product', async () => {
      const { reserve } = createReplica(database.repository)
      const [tea, cup] = [await database.buildProduct(10), await database.buildProduct(10)]
      const purchaseId = newId()
      await database.freeze(cup)

      await assert.rejects(reserve(purchaseId, [tea, cup]))

      assert.deepEqual(await database.counts(tea), [10, 0, 0])
      assert.deepEqual(await database.statuses(purchaseId), [])
      const claims = `SELECT FROM inbox WHERE command_id = '${commandId(purchaseId, 'reserve-stock')}'`
      assert.deepEqual(await database.query(claims), [])
    })
  })

  describe('the end of purchases', () => {
    it('sells each product as often as all of them hold it', async () => {
      const { reserve } = createReplica(database.repository)
      const [tea, cup] = [await database.buildProduct(50), await database.buildProduct(50)]
      const purchases = Array.from({ length: 5 }, newId)
      for (const id of purchases) await reserve(id, [tea, cup], 3)
      await reserve(newId(), [tea])

      const settled = await database.repository.sellAll(purchases)

      assert.deepEqual(settled.toSorted(), purchases.toSorted())
      assert.deepEqual(await database.counts(tea), [34, 1, 15])
      assert.deepEqual(await database.counts(cup), [35, 0, 15])
    })

    it('does not change purchases that were released, even in part, or are sold already', async () => {
      const { reserve, release } = createReplica(database.repository)
      const [tea, cup] = [await database.buildProduct(10), await database.buildProduct(10)]
      const [sound, released, torn, sold] = [newId(), newId(), newId(), newId()]
      for (const id of [sound, released, torn, sold]) await reserve(id, [tea, cup])
      await release(released)
      await database.repository.sellAll([sold])
      await database.query(`
        UPDATE holds SET status = 'RELEASED' WHERE purchase_id = '${torn}' AND product_id = '${tea}';
        UPDATE products SET stock = stock + 1, held = held - 1 WHERE id = '${tea}'`)

      const settled = await database.repository.sellAll([
        newId(),
        released,
        torn,
        sound,
        sold,
        sound,
      ])

      assert.deepEqual(settled.toSorted(), [sold, sound].toSorted())
      assert.deepEqual(await database.counts(tea), [8, 0, 2])
      assert.deepEqual(await database.counts(cup), [7, 1, 2])
      assert.deepEqual((await database.statuses(torn)).toSorted(), ['HELD', 'RELEASED'])
    })

    it('sells nothing that is released while it waits', async () => {
      const { reserve, complete, alarms } = createReplica(database.repository)
      const tea = await database.buildProduct(10)
      const purchaseId = newId()
      await reserve(purchaseId, [tea])
      const undo = await database.begin()
      await undo.query(`UPDATE products SET stock = 10, held = 0 WHERE id = '${tea}'`)
      await undo.query(`UPDATE holds SET status = 'RELEASED' WHERE purchase_id = '${purchaseId}'`)

      const settled = complete(purchaseId)
      await database.statementWaits()
      await undo.commit()
      await settled

      assert.deepEqual(await database.counts(tea), [10, 0, 0])
      assert.deepEqual(await database.statuses(purchaseId), ['RELEASED'])
      assert.equal(await alarms(), 1)
    })

    it('sells no hold without its product', async () => {
      const { reserve } = createReplica(database.repository)
      const [tea, cup] = [await database.buildProduct(10), await database.buildProduct(10)]
      const purchaseId = newId()
      await reserve(purchaseId, [tea, cup])
      await database.freeze(cup)

      await assert.rejects(database.repository.sellAll([purchaseId]))

      assert.deepEqual(await database.counts(tea), [9, 1, 0])
      assert.deepEqual(await database.statuses(purchaseId), ['HELD', 'HELD'])
    })
  })
})
