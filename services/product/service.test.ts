import assert from 'node:assert/strict'
import { pino } from 'pino'
import type { StockLine } from '../../shared/contracts/commands.ts'
import type { TerminalStatus } from '../../shared/contracts/events.ts'
import { commandId, newId } from '../../shared/ids.ts'
import { createMetrics } from '../../shared/metrics.ts'
import type { Command } from '../../shared/participant.ts'
import type { Outgoing } from '../../shared/publisher.ts'
import { openProductDatabase, type ProductDatabase } from '../../test/helpers/product-database.ts'
import { createCommandHandlers, createEventHandlers } from './commands.ts'
import type { Repository } from './repository.ts'
import { createProductService } from './service.ts'

const done = { outcome: 'done' }
const rejected = (reason: string) => ({ outcome: 'rejected', reason })

function reserve(purchaseId: string, lines: StockLine[], deadline?: number) {
  const id = commandId(purchaseId, 'reserve-stock')
  const body = { lines }
  return { name: 'reserveStock' as const, commandId: id, purchaseId, deadline, body }
}

function release(purchaseId: string): Command<'releaseStock'> {
  const id = commandId(purchaseId, 'release-stock')
  return { name: 'releaseStock', commandId: id, purchaseId, deadline: undefined, body: {} }
}

function line(product_id: string, quantity: number): StockLine {
  return { product_id, quantity }
}

describe('stock', () => {
  let database: ProductDatabase
  const buildProduct = (inventory: number) => database.buildProduct(inventory)
  const counts = (id: string) => database.counts(id)
  const holds = (purchaseId: string) => database.holds(purchaseId)

  before(async () => {
    database = await openProductDatabase()
  })

  after(() => database.close())

  function setUp({ overdueMs = 60_000 } = {}) {
    const published: Outgoing[] = []
    const metrics = createMetrics('product')
    const asked = { transactions: 0, sales: 0 }
    const { repository } = database
    const counted: Repository = {
      ...repository,
      transaction(work) {
        asked.transactions++
        return repository.transaction(work)
      },
      sellAll(purchaseIds) {
        asked.sales++
        return repository.sellAll(purchaseIds)
      },
    }
    const service = createProductService({
      repository: counted,
      publish: async (_topic, message) => void published.push(message),
      logger: pino({ level: 'silent' }),
      metrics,
      currencyCode: 'VND',
      overdueMs,
    })
    const { purchaseEnded } = createEventHandlers(service)
    return {
      service,
      published,
      asked,
      ...createCommandHandlers(service),
      end: (purchase_id: string, status: TerminalStatus) =>
        purchaseEnded({
          purchase_id,
          customer_id: newId(),
          status,
          reason: null,
          failed_step: null,
        }),
      async alarms() {
        const metric = await metrics.registry.getSingleMetric('settlement_alarms_total')?.get()
        return metric?.values[0]?.value
      },
    }
  }

  describe('reserveStock', () => {
    it('holds every line, those of one product together', async () => {
      const { reserveStock } = setUp()
      const [tea, cup] = [await buildProduct(10), await buildProduct(5)]
      const purchaseId = newId()

      const reply = await reserveStock(
        reserve(purchaseId, [line(cup, 1), line(tea, 2), line(cup.toUpperCase(), 4)]),
      )

      assert.deepEqual(reply, done)
      assert.deepEqual(await counts(tea), [8, 2, 0])
      assert.deepEqual(await counts(cup), [0, 5, 0])
      assert.deepEqual(await holds(purchaseId), [
        [2, 'HELD'],
        [5, 'HELD'],
      ])
    })

    it('takes a new command in one statement, and tells any other in a transaction', async () => {
      const { reserveStock, asked } = setUp()
      const tea = await buildProduct(10)
      const command = reserve(newId(), [line(tea, 1)])

      await reserveStock(command)
      assert.equal(asked.transactions, 0)
      await reserveStock(command)
      await reserveStock(reserve(newId(), [line(tea, 10)]))

      assert.equal(asked.transactions, 2)
    })

    it('holds nothing when one line is short', async () => {
      const { reserveStock } = setUp()
      const [tea, cup] = [await buildProduct(10), await buildProduct(5)]
      const purchaseId = newId()

      const reply = await reserveStock(
        reserve(purchaseId, [line(tea, 2), line(cup, 3), line(cup, 3)]),
      )

      assert.deepEqual(reply, rejected('out_of_stock'))
      assert.deepEqual(await counts(tea), [10, 0, 0])
      assert.deepEqual(await counts(cup), [5, 0, 0])
      assert.deepEqual(await holds(purchaseId), [])
    })

    it('refuses a quantity that no column could count', async () => {
      const { reserveStock } = setUp()
      const tea = await buildProduct(10)

      const reply = await reserveStock(reserve(newId(), [line(tea, Number.MAX_SAFE_INTEGER)]))

      assert.deepEqual(reply, rejected('out_of_stock'))
    })

    it('says that a product is missing before it says that another is short', async () => {
      const { reserveStock } = setUp()
      const tea = await buildProduct(1)

      const reply = await reserveStock(reserve(newId(), [line(tea, 2), line(newId(), 1)]))

      assert.deepEqual(reply, rejected('product_not_found'))
      assert.deepEqual(await counts(tea), [1, 0, 0])
    })

    it('answers a repeat as before and holds once', async () => {
      const { reserveStock } = setUp()
      const tea = await buildProduct(10)
      const command = reserve(newId(), [line(tea, 3)])

      const replies = await Promise.all([reserveStock(command), reserveStock(command)])

      assert.deepEqual(replies, [done, done])
      assert.deepEqual(await counts(tea), [7, 3, 0])
    })

    it('stays refused when stock comes after the answer', async () => {
      const { reserveStock, service } = setUp()
      const tea = await buildProduct(1)
      const command = reserve(newId(), [line(tea, 2)])
      await reserveStock(command)
      const owner = (await service.getProduct(tea)).id_account
      await service.restock(owner, tea, newId(), 10)

      assert.deepEqual(await reserveStock(command), rejected('out_of_stock'))
      assert.deepEqual(await counts(tea), [11, 0, 0])
    })

    it('refuses what nobody waits for any more', async () => {
      const { reserveStock } = setUp()
      const tea = await buildProduct(10)

      const reply = await reserveStock(reserve(newId(), [line(tea, 1)], Date.now() - 1))

      assert.deepEqual(reply, rejected('expired'))
      assert.deepEqual(await counts(tea), [10, 0, 0])
    })

    it('gives 10 units to exactly 10 of 20 purchases at once', async () => {
      const { reserveStock } = setUp()
      const tea = await buildProduct(10)

      const replies = await Promise.all(
        Array.from({ length: 20 }, () => reserveStock(reserve(newId(), [line(tea, 1)]))),
      )

      assert.equal(replies.filter(({ outcome }) => outcome === 'done').length, 10)
      assert.deepEqual(await counts(tea), [0, 10, 0])
    })

    it('never deadlocks on carts that name the same products in other orders', async () => {
      const { reserveStock, releaseStock } = setUp()
      const [tea, cup, pot] = [
        await buildProduct(50),
        await buildProduct(50),
        await buildProduct(50),
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
      assert.deepEqual(await counts(cup), [50, 0, 0])
    })
  })

  describe('releaseStock', () => {
    it('gives back what was held, once', async () => {
      const { reserveStock, releaseStock, alarms } = setUp()
      const tea = await buildProduct(10)
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 4)]))

      assert.deepEqual(await releaseStock(release(purchaseId)), done)
      assert.deepEqual(await releaseStock(release(purchaseId)), done)

      assert.deepEqual(await counts(tea), [10, 0, 0])
      assert.deepEqual(await holds(purchaseId), [[4, 'RELEASED']])
      assert.equal(await alarms(), 0)
    })

    it('refuses a reservation that comes after it', async () => {
      const { reserveStock, releaseStock } = setUp()
      const tea = await buildProduct(10)
      const purchaseId = newId()

      assert.deepEqual(await releaseStock(release(purchaseId)), done)
      const reply = await reserveStock(reserve(purchaseId, [line(tea, 4)]))

      assert.deepEqual(reply, rejected('undone'))
      assert.deepEqual(await counts(tea), [10, 0, 0])
    })

    it('has nothing to give back of a refused reservation', async () => {
      const { reserveStock, releaseStock, alarms } = setUp()
      const tea = await buildProduct(1)
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 4)]))

      assert.deepEqual(await releaseStock(release(purchaseId)), done)

      assert.deepEqual(await counts(tea), [1, 0, 0])
      assert.equal(await alarms(), 0)
    })

    it('leaves nothing held when it meets its reservation at the same moment', async () => {
      const { reserveStock, releaseStock } = setUp()
      const tea = await buildProduct(100)

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
      assert.deepEqual(await counts(tea), [100, 0, 0])
    })

    it('alarms over stock that is sold, and leaves it so', async () => {
      const { reserveStock, releaseStock, end, alarms } = setUp()
      const tea = await buildProduct(10)
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 4)]))
      await end(purchaseId, 'COMPLETED')

      await releaseStock(release(purchaseId))

      assert.deepEqual(await counts(tea), [6, 0, 4])
      assert.equal(await alarms(), 1)
    })
  })

  describe('the end of a purchase', () => {
    it('sells what a completed one holds, once', async () => {
      const { reserveStock, end, alarms } = setUp()
      const [tea, cup] = [await buildProduct(10), await buildProduct(5)]
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 2), line(cup, 5)]))

      await Promise.all([end(purchaseId, 'COMPLETED'), end(purchaseId, 'COMPLETED')])
      await end(purchaseId, 'COMPLETED')

      assert.deepEqual(await counts(tea), [8, 0, 2])
      assert.deepEqual(await counts(cup), [0, 0, 5])
      assert.deepEqual(await holds(purchaseId), [
        [2, 'SOLD'],
        [5, 'SOLD'],
      ])
      assert.equal(await alarms(), 0)
    })

    it('settles a crowd in few statements, and alarms over those alone that do not fit', async () => {
      const { reserveStock, releaseStock, end, alarms, asked } = setUp()
      const [tea, cup] = [await buildProduct(100), await buildProduct(100)]
      const purchases = Array.from({ length: 20 }, newId)
      for (const id of purchases) await reserveStock(reserve(id, [line(cup, 2), line(tea, 1)]))
      const [released] = purchases
      await releaseStock(release(released ?? ''))
      asked.transactions = 0

      await Promise.all([...purchases, newId()].map((id) => end(id, 'COMPLETED')))

      assert.deepEqual(await counts(tea), [81, 0, 19])
      assert.deepEqual(await counts(cup), [62, 0, 38])
      assert.equal(await alarms(), 2)
      assert.deepEqual(asked, { transactions: 2, sales: 2 })
    })

    for (const status of ['REJECTED', 'CANCELLED', 'RESOLVED'] as const) {
      it(`has nothing left to settle when it is ${status}`, async () => {
        const { reserveStock, releaseStock, end, alarms } = setUp()
        const tea = await buildProduct(10)
        const purchaseId = newId()
        await reserveStock(reserve(purchaseId, [line(tea, 2)]))
        await releaseStock(release(purchaseId))

        await end(purchaseId, status)
        await end(newId(), status)

        assert.deepEqual(await counts(tea), [10, 0, 0])
        assert.equal(await alarms(), 0)
      })
    }

    it('alarms and changes nothing when completed stock was released', async () => {
      const { reserveStock, releaseStock, end, alarms } = setUp()
      const tea = await buildProduct(10)
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 2)]))
      await releaseStock(release(purchaseId))

      await end(purchaseId, 'COMPLETED')

      assert.deepEqual(await counts(tea), [10, 0, 0])
      assert.deepEqual(await holds(purchaseId), [[2, 'RELEASED']])
      assert.equal(await alarms(), 1)
    })

    it('alarms when a completed purchase took nothing', async () => {
      const { end, alarms } = setUp()

      await end(newId(), 'COMPLETED')

      assert.equal(await alarms(), 1)
    })

    it('alarms and changes nothing when stock of an undone purchase is held or sold', async () => {
      const { reserveStock, end, alarms } = setUp()
      const tea = await buildProduct(10)
      const purchaseId = newId()
      await reserveStock(reserve(purchaseId, [line(tea, 2)]))

      await end(purchaseId, 'REJECTED')
      assert.deepEqual(await counts(tea), [8, 2, 0])
      await end(purchaseId, 'COMPLETED')
      await end(purchaseId, 'RESOLVED')

      assert.deepEqual(await counts(tea), [8, 0, 2])
      assert.equal(await alarms(), 2)
    })
  })

  describe('announceOverdue', () => {
    beforeEach(() => database.query(`UPDATE holds SET status = 'SOLD' WHERE status = 'HELD'`))

    it('asks for the end of purchases that hold stock for too long, each once a run', async () => {
      const { reserveStock, releaseStock, service, published } = setUp({ overdueMs: 60_000 })
      const [tea, cup] = [await buildProduct(10), await buildProduct(10)]
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

    it('goes on behind a full batch, then begins again with the oldest', async () => {
      const { service, published } = setUp()
      const tea = await buildProduct(0)
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
