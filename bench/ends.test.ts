import assert from 'node:assert/strict'
import { mock } from 'node:test'
import { newId } from '../shared/contracts/ids.ts'
import { createTestDatabase, type TestDatabase } from '../test/helpers/database.ts'
import { connectEnds, type Ends } from './ends.ts'

/** Longer than one purchase takes to end here, and less than three take. */
const patienceMs = 5_000
const endEveryMs = 3_000

describe('waiting for a burst to end', function () {
  this.timeout(120_000)

  const open = new AsyncDisposableStack()
  let database: TestDatabase
  let ends: Ends

  before(async () => {
    database = open.adopt(await createTestDatabase('purchase'), (it) => it.close())
    ends = open.adopt(await connectEnds(database.url, patienceMs), (it) => it.close())
  })

  after(() => open.disposeAsync())

  const acceptPurchases = (customerId: string, count: number) =>
    database.query(
      `INSERT INTO purchases (id, customer_id, body_hash, lines, amount, currency_code, payment_method, status)
       SELECT gen_random_uuid(), '${customerId}', '', '[]', 1, 'VND', 'sim_ok', 'ACCEPTED'
       FROM generate_series(1, ${count})`,
    )

  it('goes on for as long as one after another ends', async () => {
    const customerId = newId()
    await acceptPurchases(customerId, 3)
    const endOne = () =>
      database.query(
        `UPDATE purchases SET status = 'COMPLETED' WHERE id =
           (SELECT id FROM purchases WHERE customer_id = '${customerId}' AND status = 'ACCEPTED' LIMIT 1)`,
      )

    // Time passes when one has ended, and not while a busy machine takes long.
    const startedAt = Date.now()
    mock.timers.enable({ apis: ['Date'], now: startedAt })
    let known = -1
    try {
      await ends.waitForAll(customerId, Promise.resolve(), (ended) => {
        if (ended === known || ended === 3) return
        known = ended
        mock.timers.tick(endEveryMs)
        void endOne()
      })
      assert.ok(Date.now() - startedAt > patienceMs, 'it ended too soon to tell')
    } finally {
      mock.timers.reset()
    }

    const statuses = [...(await ends.readAll(customerId)).values()].map(({ status }) => status)
    assert.deepEqual(statuses, ['COMPLETED', 'COMPLETED', 'COMPLETED'])
  })

  it('stops when none ends any more', async () => {
    const customerId = newId()
    await acceptPurchases(customerId, 1)

    await ends.waitForAll(customerId, Promise.resolve(), () => undefined)

    const statuses = [...(await ends.readAll(customerId)).values()].map(({ status }) => status)
    assert.deepEqual(statuses, ['ACCEPTED'])
  })

  it('does not outlive a load that failed', async () => {
    const failing = Promise.reject(new Error('the client broke'))

    await assert.rejects(
      ends.waitForAll(newId(), failing, () => undefined),
      /the client broke/,
    )
  })
})
