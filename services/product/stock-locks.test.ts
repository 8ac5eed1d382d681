import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { openProductDatabase, type ProductDatabase } from '../../test/helpers/product-database.ts'
import { createReplica } from '../../test/helpers/product-stock.ts'

describe('the locks of stock', () => {
  let database: ProductDatabase

  before(async () => {
    database = await openProductDatabase()
  })

  after(() => database.close())

  for (const what of ['reserve', 'sellAll'] as const) {
    it(`locks products in the order of their ids: ${what}`, async () => {
      const { reserve } = createReplica(database.repository)
      const ids = await Promise.all([database.buildProduct(10), database.buildProduct(10)])
      const [first = '', last = ''] = ids.toSorted()
      // Puts the row of the first one after that of the last.
      await database.query(`UPDATE products SET name = 'Tea' WHERE id = '${first}'`)
      const purchases = [newId(), newId()]
      if (what === 'sellAll') {
        for (const [index, id] of [last, first].entries())
          await reserve(purchases[index] ?? '', [id])
      }
      const other = await database.begin()
      await other.query(`SELECT FROM products WHERE id = '${first}' FOR NO KEY UPDATE`)

      const moved =
        what === 'reserve'
          ? reserve(newId(), [last, first])
          : database.repository.sellAll(purchases)
      await database.statementWaits()
      await other.query(`SELECT FROM products WHERE id = '${last}' FOR NO KEY UPDATE NOWAIT`)
      await other.commit()
      await moved

      const expected = what === 'reserve' ? [9, 1, 0] : [9, 0, 1]
      assert.deepEqual(await Promise.all([first, last].map(database.counts)), [expected, expected])
    })
  }

  for (const what of ['release', 'complete'] as const) {
    it(`locks no hold before its product: ${what}`, async () => {
      const one = createReplica(database.repository)
      const tea = await database.buildProduct(10)
      const purchaseId = newId()
      await one.reserve(purchaseId, [tea])
      const other = await database.begin()
      await other.query(`SELECT FROM products WHERE id = '${tea}' FOR NO KEY UPDATE`)

      const moved = one[what](purchaseId)
      await database.statementWaits()
      await other.query(
        `SELECT FROM holds WHERE purchase_id = '${purchaseId}' FOR NO KEY UPDATE NOWAIT`,
      )
      await other.commit()
      await moved

      assert.deepEqual(await database.counts(tea), what === 'release' ? [10, 0, 0] : [9, 0, 1])
    })
  }
})
