import assert from 'node:assert/strict'
import { Client } from 'pg'
import { pino } from 'pino'
import { waitFor } from '../../scripts/wait-for.ts'
import { commandId, newId } from '../../shared/ids.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { openProductDatabase, type ProductDatabase } from '../../test/helpers/product-database.ts'
import { createProductService } from './service.ts'

const done = { outcome: 'done' }
const rejected = (reason: string) => ({ outcome: 'rejected', reason })

describe('stock that many move at once', () => {
  const resources = new AsyncDisposableStack()
  let database: ProductDatabase
  let repository: ProductDatabase['repository']
  const buildProduct = (inventory: number) => database.buildProduct(inventory)
  const counts = (id: string) => database.counts(id)

  before(async () => {
    database = resources.adopt(await openProductDatabase(), (open) => open.close())
    repository = database.repository
  })

  after(() => resources.disposeAsync())

  /** A replica of the service. */
  function setUp() {
    const metrics = createMetrics('product')
    const service = createProductService({
      repository,
      publish: async () => {},
      logger: pino({ level: 'silent' }),
      metrics,
      currencyCode: 'VND',
      overdueMs: 60_000,
    })
    return {
      reserve: (purchaseId: string, productIds: string[], quantity = 1) =>
        service.reserveStock({
          name: 'reserveStock',
          commandId: commandId(purchaseId, 'reserve-stock'),
          purchaseId,
          deadline: undefined,
          body: { lines: productIds.map((product_id) => ({ product_id, quantity })) },
        }),
      release: (purchaseId: string) =>
        service.releaseStock({
          name: 'releaseStock',
          commandId: commandId(purchaseId, 'release-stock'),
          purchaseId,
          deadline: undefined,
          body: {},
        }),
      complete: (purchase_id: string) =>
        service.settle({
          purchase_id,
          customer_id: newId(),
          status: 'COMPLETED',
          reason: null,
          failed_step: null,
        }),
      async alarms() {
        const metric = await metrics.registry.getSingleMetric('settlement_alarms_total')?.get()
        return metric?.values[0]?.value
      },
    }
  }

  const statuses = async (purchaseId: string) =>
    (await database.holds(purchaseId)).map(([, status]) => status)

  /** Somebody else's transaction, which lasts until it is told to commit. */
  async function begin() {
    const client = new Client({ connectionString: database.url })
    resources.adopt(client, (open) => open.end())
    await client.connect()
    await client.query('BEGIN')
    return {
      query: (sql: string) => client.query(sql),
      commit: () => client.query('COMMIT'),
    }
  }

  function someoneWaits() {
    return waitFor('a statement to wait for another transaction', async () => {
      const sql = `SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'`
      return (await database.query(sql)).length === 1
    })
  }

  /** From now on no change of this product happens, without an error. */
  async function freeze(productId: string): Promise<void> {
    const name = `frozen_${productId.replaceAll('-', '')}`
    await database.query(`
      CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER ${name} BEFORE UPDATE ON products FOR EACH ROW
        WHEN (OLD.id = '${productId}') EXECUTE FUNCTION ${name}()`)
  }

  it('counts every unit once, whatever is reserved, released and sold at the same time', async () => {
    const replicas = [setUp(), setUp()]
    const received = 12
    const products = await Promise.all(Array.from({ length: 4 }, () => buildProduct(received)))
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

    const all = (await Promise.all(products.map(counts))) as [number, number, number][]
    for (const [stock, held, bought] of all) assert.deepEqual([stock + bought, held], [received, 0])
    const total = all.reduce((sum, [, , bought]) => sum + bought, 0)
    assert.equal(
      total,
      sold.reduce((sum, units) => sum + units, 0),
    )
    assert.deepEqual(await Promise.all(replicas.map(({ alarms }) => alarms())), [0, 0])
  })

  describe('a reservation', () => {
    it('takes nothing when one of its products runs out while it waits', async () => {
      const { reserve } = setUp()
      const [tea, cup] = [await buildProduct(10), await buildProduct(10)]
      const purchaseId = newId()
      const buyer = await begin()
      await buyer.query(`UPDATE products SET stock = 1, sold = 9 WHERE id = '${cup}'`)

      const reply = reserve(purchaseId, [tea, cup], 2)
      await someoneWaits()
      await buyer.commit()

      assert.deepEqual(await reply, rejected('out_of_stock'))
      assert.deepEqual(await reserve(purchaseId, [tea, cup], 2), rejected('out_of_stock'))
      assert.deepEqual(await counts(tea), [10, 0, 0])
      assert.deepEqual(await counts(cup), [1, 0, 9])
      assert.deepEqual(await statuses(purchaseId), [])
    })

    it('takes what is left when it is enough still', async () => {
      const { reserve } = setUp()
      const tea = await buildProduct(10)
      const buyer = await begin()
      await buyer.query(`UPDATE products SET stock = 2, sold = 8 WHERE id = '${tea}'`)

      const reply = reserve(newId(), [tea], 2)
      await someoneWaits()
      await buyer.commit()

      assert.deepEqual(await reply, done)
      assert.deepEqual(await counts(tea), [0, 2, 8])
    })

    it('waits for its undo, and keeps no product from it meanwhile', async () => {
      const { reserve } = setUp()
      const tea = await buildProduct(10)
      const purchaseId = newId()
      const undo = await begin()
      await undo.query(
        `INSERT INTO inbox (command_id, undone)
         VALUES ('${commandId(purchaseId, 'reserve-stock')}', true)`,
      )

      const reply = reserve(purchaseId, [tea])
      await someoneWaits()
      await undo.query(`SELECT FROM products WHERE id = '${tea}' FOR NO KEY UPDATE NOWAIT`)
      await undo.commit()

      assert.deepEqual(await reply, rejected('undone'))
      assert.deepEqual(await counts(tea), [10, 0, 0])
    })

    it('is no hold without its product', async () => {
      const { reserve } = setUp()
      const [tea, cup] = [await buildProduct(10), await buildProduct(10)]
      const purchaseId = newId()
      await freeze(cup)

      await assert.rejects(reserve(purchaseId, [tea, cup]))

      assert.deepEqual(await counts(tea), [10, 0, 0])
      assert.deepEqual(await statuses(purchaseId), [])
      const claims = `SELECT FROM inbox WHERE command_id = '${commandId(purchaseId, 'reserve-stock')}'`
      assert.deepEqual(await database.query(claims), [])
    })
  })

  describe('the end of purchases', () => {
    it('sells each product as often as all of them hold it', async () => {
      const { reserve } = setUp()
      const [tea, cup] = [await buildProduct(50), await buildProduct(50)]
      const purchases = Array.from({ length: 5 }, newId)
      for (const id of purchases) await reserve(id, [tea, cup], 3)
      await reserve(newId(), [tea])

      const settled = await repository.sellAll(purchases)

      assert.deepEqual(settled.toSorted(), purchases.toSorted())
      assert.deepEqual(await counts(tea), [34, 1, 15])
      assert.deepEqual(await counts(cup), [35, 0, 15])
    })

    it('leaves alone what is not held wholly', async () => {
      const { reserve, release } = setUp()
      const [tea, cup] = [await buildProduct(10), await buildProduct(10)]
      const [sound, released, torn, sold] = [newId(), newId(), newId(), newId()]
      for (const id of [sound, released, torn, sold]) await reserve(id, [tea, cup])
      await release(released)
      await repository.sellAll([sold])
      await database.query(`
        UPDATE holds SET status = 'RELEASED' WHERE purchase_id = '${torn}' AND product_id = '${tea}';
        UPDATE products SET stock = stock + 1, held = held - 1 WHERE id = '${tea}'`)

      const settled = await repository.sellAll([newId(), released, torn, sound, sold, sound])

      assert.deepEqual(settled, [sound])
      assert.deepEqual(await counts(tea), [8, 0, 2])
      assert.deepEqual(await counts(cup), [7, 1, 2])
      assert.deepEqual((await statuses(torn)).toSorted(), ['HELD', 'RELEASED'])
    })

    it('sells nothing that is released while it waits', async () => {
      const { reserve, complete, alarms } = setUp()
      const tea = await buildProduct(10)
      const purchaseId = newId()
      await reserve(purchaseId, [tea])
      const undo = await begin()
      await undo.query(`UPDATE products SET stock = 10, held = 0 WHERE id = '${tea}'`)
      await undo.query(`UPDATE holds SET status = 'RELEASED' WHERE purchase_id = '${purchaseId}'`)

      const settled = complete(purchaseId)
      await someoneWaits()
      await undo.commit()
      await settled

      assert.deepEqual(await counts(tea), [10, 0, 0])
      assert.deepEqual(await statuses(purchaseId), ['RELEASED'])
      assert.equal(await alarms(), 1)
    })

    it('sells no hold without its product', async () => {
      const { reserve } = setUp()
      const [tea, cup] = [await buildProduct(10), await buildProduct(10)]
      const purchaseId = newId()
      await reserve(purchaseId, [tea, cup])
      await freeze(cup)

      await assert.rejects(repository.sellAll([purchaseId]))

      assert.deepEqual(await counts(tea), [9, 1, 0])
      assert.deepEqual(await statuses(purchaseId), ['HELD', 'HELD'])
    })
  })

  for (const what of ['reserve', 'sellAll'] as const) {
    it(`locks products in the order of their ids: ${what}`, async () => {
      const { reserve } = setUp()
      const ids = await Promise.all([buildProduct(10), buildProduct(10)])
      const [first = '', last = ''] = ids.toSorted()
      // Puts the row of the first one behind that of the last.
      await database.query(`UPDATE products SET name = 'Tea' WHERE id = '${first}'`)
      const purchases = [newId(), newId()]
      if (what === 'sellAll') {
        for (const [index, id] of [last, first].entries())
          await reserve(purchases[index] ?? '', [id])
      }
      const other = await begin()
      await other.query(`SELECT FROM products WHERE id = '${first}' FOR NO KEY UPDATE`)

      const moved =
        what === 'reserve' ? reserve(newId(), [last, first]) : repository.sellAll(purchases)
      await someoneWaits()
      await other.query(`SELECT FROM products WHERE id = '${last}' FOR NO KEY UPDATE NOWAIT`)
      await other.commit()
      await moved

      const expected = what === 'reserve' ? [9, 1, 0] : [9, 0, 1]
      assert.deepEqual(await Promise.all([first, last].map(counts)), [expected, expected])
    })
  }

  for (const what of ['release', 'complete'] as const) {
    it(`locks no hold before its product: ${what}`, async () => {
      const one = setUp()
      const tea = await buildProduct(10)
      const purchaseId = newId()
      await one.reserve(purchaseId, [tea])
      const other = await begin()
      await other.query(`SELECT FROM products WHERE id = '${tea}' FOR NO KEY UPDATE`)

      const moved = one[what](purchaseId)
      await someoneWaits()
      await other.query(
        `SELECT FROM holds WHERE purchase_id = '${purchaseId}' FOR NO KEY UPDATE NOWAIT`,
      )
      await other.commit()
      await moved

      assert.deepEqual(await counts(tea), what === 'release' ? [10, 0, 0] : [9, 0, 1])
    })
  }
})
