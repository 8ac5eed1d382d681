import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { openProductDatabase, type ProductDatabase } from '../../test/helpers/product-database.ts'
import {
  createStock,
  done,
  line,
  rejected,
  release,
  reserve,
} from '../../test/helpers/product-stock.ts'

describe('reserveStock', () => {
  let database: ProductDatabase

  before(async () => {
    database = await openProductDatabase()
  })

  after(() => database.close())

  it('holds every line, those of one product together', async () => {
    const { reserveStock } = createStock(database.repository)
    const [tea, cup] = [await database.buildProduct(10), await database.buildProduct(5)]
    const purchaseId = newId()

    const reply = await reserveStock(
      reserve(purchaseId, [line(cup, 1), line(tea, 2), line(cup.toUpperCase(), 4)]),
    )

    assert.deepEqual(reply, done)
    assert.deepEqual(await database.counts(tea), [8, 2, 0])
    assert.deepEqual(await database.counts(cup), [0, 5, 0])
    assert.deepEqual(await database.holds(purchaseId), [
      [2, 'HELD'],
      [5, 'HELD'],
    ])
  })

  it('is one statement for every outcome', async () => {
    const { reserveStock, asked } = createStock(database.repository)
    const tea = await database.buildProduct(10)
    const command = reserve(newId(), [line(tea, 1)])

    await reserveStock(command)
    await reserveStock(command)
    await reserveStock(reserve(newId(), [line(tea, 10)]))
    await reserveStock(reserve(newId(), [line(newId(), 1)]))

    assert.equal(asked.transactions, 0)
  })

  it('holds nothing when one line is short', async () => {
    const { reserveStock } = createStock(database.repository)
    const [tea, cup] = [await database.buildProduct(10), await database.buildProduct(5)]
    const purchaseId = newId()

    const reply = await reserveStock(
      reserve(purchaseId, [line(tea, 2), line(cup, 3), line(cup, 3)]),
    )

    assert.deepEqual(reply, rejected('out_of_stock'))
    assert.deepEqual(await database.counts(tea), [10, 0, 0])
    assert.deepEqual(await database.counts(cup), [5, 0, 0])
    assert.deepEqual(await database.holds(purchaseId), [])
  })

  it('refuses a quantity that no column could count', async () => {
    const { reserveStock } = createStock(database.repository)
    const tea = await database.buildProduct(10)

    const reply = await reserveStock(reserve(newId(), [line(tea, Number.MAX_SAFE_INTEGER)]))

    assert.deepEqual(reply, rejected('out_of_stock'))
  })

  it('says that a product is missing before it says that another is short', async () => {
    const { reserveStock } = createStock(database.repository)
    const tea = await database.buildProduct(1)

    const reply = await reserveStock(reserve(newId(), [line(tea, 2), line(newId(), 1)]))

    assert.deepEqual(reply, rejected('product_not_found'))
    assert.deepEqual(await database.counts(tea), [1, 0, 0])
  })

  it('answers a repeat as before and holds once', async () => {
    const { reserveStock } = createStock(database.repository)
    const tea = await database.buildProduct(10)
    const command = reserve(newId(), [line(tea, 3)])

    const replies = await Promise.all([reserveStock(command), reserveStock(command)])

    assert.deepEqual(replies, [done, done])
    assert.deepEqual(await database.counts(tea), [7, 3, 0])
  })

  it('refuses a product that was withdrawn, and no other purchase of it', async () => {
    const { reserveStock, service } = createStock(database.repository)
    const tea = await database.buildProduct(10)
    const earlier = reserve(newId(), [line(tea, 3)])
    await reserveStock(earlier)
    const owner = (await service.getProduct(tea)).id_account
    await service.withdraw(owner, tea)

    const later = await reserveStock(reserve(newId(), [line(tea, 1)]))

    assert.deepEqual(later, rejected('product_not_found'))
    assert.deepEqual(await reserveStock(earlier), done)
    assert.deepEqual(await database.counts(tea), [7, 3, 0])
    await service.offer(owner, tea)
    assert.deepEqual(await reserveStock(reserve(newId(), [line(tea, 1)])), done)
  })

  it('stays refused when stock comes after the answer', async () => {
    const { reserveStock, service } = createStock(database.repository)
    const tea = await database.buildProduct(1)
    const command = reserve(newId(), [line(tea, 2)])
    await reserveStock(command)
    const owner = (await service.getProduct(tea)).id_account
    await service.restock(owner, tea, newId(), 10)

    assert.deepEqual(await reserveStock(command), rejected('out_of_stock'))
    assert.deepEqual(await database.counts(tea), [11, 0, 0])
  })

  it('refuses an expired command', async () => {
    const { reserveStock } = createStock(database.repository)
    const tea = await database.buildProduct(10)

    const reply = await reserveStock(reserve(newId(), [line(tea, 1)], Date.now() - 1))

    assert.deepEqual(reply, rejected('expired'))
    assert.deepEqual(await database.counts(tea), [10, 0, 0])
  })

  it('gives 10 units to exactly 10 of 20 purchases at once', async () => {
    const { reserveStock } = createStock(database.repository)
    const tea = await database.buildProduct(10)

    const replies = await Promise.all(
      Array.from({ length: 20 }, () => reserveStock(reserve(newId(), [line(tea, 1)]))),
    )

    assert.equal(replies.filter(({ outcome }) => outcome === 'done').length, 10)
    assert.deepEqual(await database.counts(tea), [0, 10, 0])
  })

  it('never deadlocks on carts that name the same products in other orders', async () => {
    const { reserveStock, releaseStock } = createStock(database.repository)
    const [tea, cup, pot] = [
      await database.buildProduct(50),
      await database.buildProduct(50),
      await database.buildProduct(50),
    ]
    const carts = [
      [tea, cup, pot],
      [pot, tea, cup],
      [cup, pot, tea],
      [pot, cup, tea],
    ]

    const replies = await Promise.all(
      Array.from({ length: 5 }, () => carts)
        .flat()
        .map(async (cart) => {
          const purchaseId = newId()
          const reply = await reserveStock(
            reserve(
              purchaseId,
              cart.map((id) => line(id, 1)),
            ),
          )
          await releaseStock(release(purchaseId))
          return reply.outcome
        }),
    )

    assert.ok(replies.every((outcome) => outcome === 'done'))
    assert.deepEqual(await database.counts(cup), [50, 0, 0])
  })
})
