import assert from 'node:assert/strict'
import { PrismaClient } from '../../prisma/order/client/client.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import type { CreateOrder } from '../contracts/commands.ts'
import { commandId, newId } from '../contracts/ids.ts'
import { connectDatabase } from '../database/prisma.ts'
import type { Sql } from '../database/sql.ts'
import { waitFor } from '../runtime/wait-for.ts'
import type { Command } from './command-handler.ts'
import { claim, claimOf, doOnce, entomb, storedReply, storeReply, undoOnce } from './inbox.ts'

const done = { outcome: 'done' } as const
const undone = { outcome: 'rejected', reason: 'undone' } as const
const outOfStock = { outcome: 'rejected', reason: 'out_of_stock' } as const

const body: CreateOrder = {
  customer_id: newId(),
  lines: [{ product_id: newId(), quantity: 1, name: 'Tea', unit_price: 1 }],
  amount: 1,
  currency_code: 'VND',
}

function theDo(purchaseId: string, deadline?: number): Command<'createOrder'> {
  const id = commandId(purchaseId, 'create-order')
  return { name: 'createOrder', commandId: id, purchaseId, deadline, body }
}

function theUndo(purchaseId: string, deadline?: number): Command<'cancelOrder'> {
  const id = commandId(purchaseId, 'cancel-order')
  return { name: 'cancelOrder', commandId: id, purchaseId, deadline, body: {} }
}

describe('inbox', () => {
  let database: TestDatabase
  let prisma: PrismaClient

  before(async () => {
    database = await createTestDatabase('order')
    const config = { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 6 }
    prisma = await connectDatabase(PrismaClient, config)
  })

  after(async () => {
    await prisma.$disconnect()
    await database.close()
  })

  /** Counts what a do and its undo change, in place of a participant. */
  function setUp() {
    const purchaseId = newId()
    const calls: string[] = []
    const transaction = <T>(run: (tx: Sql) => Promise<T>) => prisma.$transaction((tx) => run(tx))
    return {
      purchaseId,
      calls,
      transaction,
      doIt: (effect = async () => done, deadline?: number) =>
        transaction((tx) => {
          const command = theDo(purchaseId, deadline)
          return doOnce(tx, command, async () => {
            const claimed = await tx.$queryRaw<unknown[]>`${claimOf(command)}`
            if (claimed.length === 0) return undefined
            calls.push('do')
            const reply = await effect()
            await storeReply(tx, command, reply)
            return reply
          })
        }),
      undoIt: (revert = async () => {}, deadline?: number) =>
        transaction((tx) =>
          undoOnce(tx, theUndo(purchaseId, deadline), () => {
            calls.push('undo')
            return revert()
          }),
        ),
    }
  }

  /** Waits until so many statements wait for another transaction. */
  function statementsWait(statements = 1) {
    return waitFor('a statement to wait for another transaction', async () => {
      const sql = `SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'`
      return (await database.query(sql)).length === statements
    })
  }

  it('does once, and answers each repeat with the first reply', async () => {
    const { doIt, calls } = setUp()
    assert.deepEqual(await doIt(async () => outOfStock as never), outOfStock)
    assert.deepEqual(await doIt(), outOfStock)
    assert.deepEqual(calls, ['do'])
  })

  it('keeps no record of a do that failed, so that it is done again', async () => {
    const { doIt, calls } = setUp()
    const fault = new Error('the database is unavailable')
    await assert.rejects(
      doIt(() => Promise.reject(fault)),
      fault,
    )
    assert.deepEqual(await doIt(), done)
    assert.deepEqual(calls, ['do', 'do'])
  })

  it('undoes once what was done', async () => {
    const { doIt, undoIt, calls } = setUp()
    await doIt()
    assert.deepEqual([await undoIt(), await undoIt()], [done, done])
    assert.deepEqual(calls, ['do', 'undo'])
  })

  it('undoes again what could not be undone', async () => {
    const { doIt, undoIt, calls } = setUp()
    await doIt()
    const fault = new Error('the database is unavailable')
    await assert.rejects(
      undoIt(() => Promise.reject(fault)),
      fault,
    )
    assert.deepEqual(await undoIt(), done)
    assert.deepEqual(calls, ['do', 'undo', 'undo'])
  })

  it('undoes nothing for a do that was refused or never came', async () => {
    const refused = setUp()
    await refused.doIt(async () => outOfStock as never)
    assert.deepEqual(await refused.undoIt(), done)
    assert.deepEqual(refused.calls, ['do'])

    const never = setUp()
    assert.deepEqual(await never.undoIt(), done)
    assert.deepEqual(never.calls, [])
  })

  it('refuses a do whose undo came first, and one that was undone', async () => {
    const late = setUp()
    await late.undoIt()
    assert.deepEqual([await late.doIt(), await late.doIt()], [undone, undone])
    assert.deepEqual(late.calls, [])

    const again = setUp()
    await again.doIt()
    await again.undoIt()
    assert.deepEqual(await again.doIt(), undone)
    assert.deepEqual(again.calls, ['do', 'undo'])
  })

  it('refuses an expired do permanently, but not one that was done in time', async () => {
    const expired = { outcome: 'rejected', reason: 'expired' }
    const late = setUp()
    assert.deepEqual(await late.doIt(undefined, Date.now() - 1), expired)
    assert.deepEqual(await late.doIt(undefined, Date.now() + 60_000), expired)
    assert.deepEqual(late.calls, [])

    const inTime = setUp()
    await inTime.doIt(undefined, Date.now() + 60_000)
    assert.deepEqual(await inTime.doIt(undefined, Date.now() - 1), done)
  })

  it('undoes however late that is', async () => {
    const { doIt, undoIt, calls } = setUp()
    await doIt()
    assert.deepEqual(await undoIt(undefined, Date.now() - 1), done)
    assert.deepEqual(calls, ['do', 'undo'])
  })

  it('an undo waits for its do while that is open, and then undoes it', async () => {
    const { doIt, undoIt, calls } = setUp()
    const gate = Promise.withResolvers<typeof done>()
    const did = doIt(() => gate.promise)
    await waitFor('the do', () => calls.length === 1)
    const undid = undoIt()
    await statementsWait()
    assert.deepEqual(calls, ['do'])

    gate.resolve(done)
    assert.deepEqual([await did, await undid], [done, done])
    assert.deepEqual(calls, ['do', 'undo'])
  })

  it('an undo has nothing to undo when the do that it waited for failed', async () => {
    const { doIt, undoIt, calls } = setUp()
    const gate = Promise.withResolvers<typeof done>()
    const did = doIt(() => gate.promise)
    await waitFor('the do', () => calls.length === 1)
    const undid = undoIt()
    await statementsWait()

    const fault = new Error('the database is unavailable')
    gate.reject(fault)
    await assert.rejects(did, fault)
    assert.deepEqual(await undid, done)
    assert.deepEqual(await doIt(), undone)
    assert.deepEqual(calls, ['do'])
  })

  it('a do waits for its undo while that is open, and is then refused', async () => {
    const { purchaseId, doIt, transaction, calls } = setUp()
    const gate = Promise.withResolvers<void>()
    const entombed = Promise.withResolvers<void>()
    const undid = transaction(async (tx) => {
      await entomb(tx, theUndo(purchaseId))
      entombed.resolve()
      await gate.promise
    })
    await entombed.promise
    const did = doIt()
    await statementsWait()
    gate.resolve()
    await undid

    assert.deepEqual(await did, undone)
    assert.deepEqual(calls, [])
  })

  it('a repeat waits for the first while that is open, and gets its reply', async () => {
    const { doIt, calls } = setUp()
    const gate = Promise.withResolvers<typeof done>()
    const first = doIt(() => gate.promise)
    await waitFor('the first', () => calls.length === 1)
    const repeats = [doIt(), doIt()]
    await statementsWait(repeats.length)
    gate.resolve(done)
    assert.deepEqual(await Promise.all([first, ...repeats]), [done, done, done])
    assert.deepEqual(calls, ['do'])
  })

  it('an undo waits for a do that goes on in another transaction', async () => {
    const { purchaseId, transaction } = setUp()
    const command = theDo(purchaseId)
    await transaction((tx) => claim(tx, command))
    const gate = Promise.withResolvers<void>()
    const claimed = Promise.withResolvers<void>()
    const goingOn = transaction(async (tx) => {
      assert.equal(await storedReply(tx, command), null)
      claimed.resolve()
      await gate.promise
      await storeReply(tx, command, done)
    })
    await claimed.promise
    const undoing = transaction((tx) => entomb(tx, theUndo(purchaseId)))
    await statementsWait()
    gate.resolve()
    await goingOn
    assert.deepEqual(await undoing, { seen: true, reply: done })
  })

  it('tells a command without an answer from one that is new', async () => {
    const { purchaseId, transaction } = setUp()
    const command = theDo(purchaseId)
    const take = async () => (await prisma.$queryRaw<unknown[]>`${claimOf(command)}`).length
    assert.equal(await take(), 1)
    assert.equal(await take(), 0)
    assert.equal(await storedReply(prisma, command), null)
    const undo = () => transaction((tx) => entomb(tx, theUndo(purchaseId)))
    assert.deepEqual(await undo(), { seen: true, reply: null })
    assert.equal(await take(), 0)
    assert.deepEqual(await storedReply(prisma, command), undone)
  })
})
