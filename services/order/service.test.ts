import assert from 'node:assert/strict'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { CreateOrder } from '../../shared/contracts/commands.ts'
import type { TerminalStatus } from '../../shared/contracts/events.ts'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import { isDeterministic } from '../../shared/database/failures.ts'
import type { Outgoing } from '../../shared/messaging/bus.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { PoisonError } from '../../shared/messaging/poison.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { createCommandHandlers } from './commands.ts'
import { createEventHandlers } from './events.ts'
import { connectRepository, type OrderRepository } from './repository.ts'
import { createOrderService } from './service.ts'

const done = { outcome: 'done' }
const undone = { outcome: 'rejected', reason: 'undone' }

function buildOrder(overrides: Partial<CreateOrder> = {}): CreateOrder {
  const line = { product_id: newId(), quantity: 2, name: 'Tea', unit_price: 125 }
  return { customer_id: newId(), lines: [line], amount: 250, currency_code: 'VND', ...overrides }
}

function create(
  purchaseId: string,
  body = buildOrder(),
  deadline?: number,
): Command<'createOrder'> {
  const id = commandId(purchaseId, 'create-order')
  return { name: 'createOrder', commandId: id, purchaseId, deadline, body }
}

function cancel(purchaseId: string): Command<'cancelOrder'> {
  const id = commandId(purchaseId, 'cancel-order')
  return { name: 'cancelOrder', commandId: id, purchaseId, deadline: undefined, body: {} }
}

describe('orders', () => {
  let database: TestDatabase
  let repository: OrderRepository

  before(async () => {
    database = await createTestDatabase('order')
    repository = await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 10 })
  })

  after(async () => {
    await repository.close()
    await database.close()
  })

  function setUp({ overdueMs = 60_000 } = {}) {
    const published: Outgoing[] = []
    const registry = new Registry()
    const service = createOrderService({
      repository,
      publish: async (_topic, message) => void published.push(message),
      logger: pino({ level: 'silent' }),
      metrics: { registry },
      overdueMs,
    })
    const { purchaseEnded } = createEventHandlers(service)
    return {
      service,
      published,
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
        const metric = await registry.getSingleMetric('settlement_alarms_total')?.get()
        return metric?.values[0]?.value
      },
    }
  }

  describe('createOrder', () => {
    it('writes the order PENDING with its lines as they were bought', async () => {
      const { createOrder, service } = setUp()
      const id = newId()
      const body = buildOrder()
      assert.deepEqual(await createOrder(create(id, body)), done)

      const { created_at, ...order } = await service.getOrder(body.customer_id, id)
      const { customer_id: _, ...rest } = body
      assert.deepEqual(order, { id, status: 'PENDING', ...rest })
      assert.ok(Math.abs(Date.now() - Date.parse(created_at)) < 60_000)
    })

    it('answers a repeat with the first reply and without a second order', async () => {
      const { createOrder, service } = setUp()
      const id = newId()
      const body = buildOrder()
      const replies = await Promise.all([1, 2, 3].map(() => createOrder(create(id, body))))
      assert.deepEqual(replies, [done, done, done])
      assert.equal((await service.getOrder(body.customer_id, id)).lines.length, 1)
    })

    it('refuses an expired command, and still when it is sent again with more time', async () => {
      const { createOrder } = setUp()
      const id = newId()
      const expired = { outcome: 'rejected', reason: 'expired' }
      assert.deepEqual(await createOrder(create(id, buildOrder(), Date.now() - 1)), expired)
      assert.deepEqual(await createOrder(create(id, buildOrder(), Date.now() + 60_000)), expired)
      assert.equal(await repository.findStatus(id), undefined)
    })

    for (const [what, overrides] of Object.entries({
      'a quantity beyond what is stored': {
        lines: [{ product_id: newId(), quantity: 3e9, name: 'Tea', unit_price: 1 }],
      },
      'a currency in lower case': { currency_code: 'vnd' },
      'a NUL in a name': {
        lines: [{ product_id: newId(), quantity: 1, name: 'T\0', unit_price: 1 }],
      },
    })) {
      it(`takes ${what} for poison, not for a fault to wait out`, async () => {
        const { createOrder } = setUp()
        const id = newId()
        await assert.rejects(createOrder(create(id, buildOrder(overrides))), isDeterministic)
        assert.equal(await repository.findStatus(id), undefined)
      })
    }
  })

  describe('cancelOrder', () => {
    it('cancels a pending order, once', async () => {
      const { createOrder, cancelOrder } = setUp()
      const id = newId()
      await createOrder(create(id))
      assert.deepEqual(await cancelOrder(cancel(id)), done)
      assert.deepEqual(await cancelOrder(cancel(id)), done)
      assert.equal(await repository.findStatus(id), 'CANCELLED')
    })

    it('refuses the order that comes after it', async () => {
      const { createOrder, cancelOrder } = setUp()
      const id = newId()
      assert.deepEqual(await cancelOrder(cancel(id)), done)
      assert.deepEqual(await createOrder(create(id)), undone)
      assert.equal(await repository.findStatus(id), undefined)
    })

    it('leaves no pending order when it runs concurrently with the do', async () => {
      const { createOrder, cancelOrder } = setUp()
      await Promise.all(
        Array.from({ length: 30 }, async () => {
          const id = newId()
          const [taken, undoing] = await Promise.all([
            createOrder(create(id)),
            cancelOrder(cancel(id)),
          ])
          assert.deepEqual(undoing, done)
          const expected = taken.outcome === 'done' ? 'CANCELLED' : undefined
          assert.equal(await repository.findStatus(id), expected)
          assert.deepEqual(await createOrder(create(id)), undone)
        }),
      )
    })

    it('does not report a confirmed order as cancelled', async () => {
      const { createOrder, cancelOrder, end } = setUp()
      const id = newId()
      await createOrder(create(id))
      await end(id, 'COMPLETED')
      await assert.rejects(cancelOrder(cancel(id)), PoisonError)
      assert.equal(await repository.findStatus(id), 'CONFIRMED')
    })
  })

  describe('purchaseEnded', () => {
    it('confirms a pending order, and ignores the second announcement', async () => {
      const { createOrder, end, alarms } = setUp()
      const id = newId()
      await createOrder(create(id))
      await end(id, 'COMPLETED')
      await end(id, 'COMPLETED')
      assert.equal(await repository.findStatus(id), 'CONFIRMED')
      assert.equal(await alarms(), 0)
    })

    it('leaves a cancelled order, or none, when the purchase did not complete', async () => {
      const { createOrder, cancelOrder, end, alarms } = setUp()
      const id = newId()
      await createOrder(create(id))
      await cancelOrder(cancel(id))
      for (const status of ['REJECTED', 'CANCELLED', 'RESOLVED'] as const) {
        await end(id, status)
        await end(newId(), status)
      }
      assert.equal(await repository.findStatus(id), 'CANCELLED')
      assert.equal(await alarms(), 0)
    })

    it('alarms and changes nothing when the end contradicts the order', async () => {
      const { createOrder, cancelOrder, end, alarms } = setUp()
      const [cancelled, pending, confirmed] = [newId(), newId(), newId()]
      for (const id of [cancelled, pending, confirmed]) await createOrder(create(id))
      await cancelOrder(cancel(cancelled))
      await end(confirmed, 'COMPLETED')

      await end(cancelled, 'COMPLETED')
      await end(newId(), 'COMPLETED')
      await end(pending, 'REJECTED')
      await end(confirmed, 'CANCELLED')
      assert.equal(await alarms(), 4)
      assert.equal(await repository.findStatus(cancelled), 'CANCELLED')
      assert.equal(await repository.findStatus(pending), 'PENDING')
      assert.equal(await repository.findStatus(confirmed), 'CONFIRMED')
    })
  })

  describe('overdue orders', () => {
    it('are announced while they are pending, and not before their time', async () => {
      const overdue = setUp({ overdueMs: -1_000 })
      const [waiting, settled] = [newId(), newId()]
      await overdue.createOrder(create(waiting))
      await overdue.createOrder(create(settled))
      await overdue.end(settled, 'COMPLETED')
      await overdue.service.announceOverdue()
      const message = overdue.published.find(({ key }) => key === waiting)
      assert.equal(message?.headers?.event, 'settlementOverdue')
      assert.deepEqual(JSON.parse(message?.value ?? ''), { purchase_id: waiting })
      assert.ok(!overdue.published.some(({ key }) => key === settled))

      const fresh = setUp()
      await fresh.service.announceOverdue()
      assert.deepEqual(fresh.published, [])
    })

    it('never hide the ones after them', async () => {
      const { createOrder, service, published } = setUp({ overdueMs: -1_000 })
      const ids = Array.from({ length: 120 }, () => newId())
      await Promise.all(ids.map((id) => createOrder(create(id))))
      await service.announceOverdue()
      assert.equal(published.length, 100)
      await service.announceOverdue()
      const announced = new Set(published.map(({ key }) => key))
      assert.equal(announced.size, published.length)
      assert.ok(ids.every((id) => announced.has(id)))

      published.length = 0
      await service.announceOverdue()
      assert.equal(published.length, 100)
    })
  })
})
