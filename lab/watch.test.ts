import assert from 'node:assert/strict'
import { newId } from '../shared/contracts/ids.ts'
import { createLogger } from '../shared/runtime/logger.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import { createTestDatabase, type TestDatabase } from '../test/helpers/database.ts'
import { startTestProvider } from '../test/helpers/provider.ts'
import { createWatch, type Watch } from './watch.ts'

const names = ['product', 'order', 'payment', 'purchase'] as const
const maxPurchases = 2
const checkDeadlineMs = 60_000

describe('the checks of the failure lab', function () {
  this.timeout(240_000)

  const open = new AsyncDisposableStack()
  let databases: Record<(typeof names)[number], TestDatabase>
  let watch: Watch

  before(async () => {
    const made = names.map(async (name) => [
      name,
      open.adopt(await createTestDatabase(name), (it) => it.close()),
    ])
    databases = Object.fromEntries(await Promise.all(made))
    const provider = open.adopt(await startTestProvider(), (it) => it.close())
    const urls = names.map((name) => [name, databases[name].url])
    const options = {
      databases: Object.fromEntries(urls) as Record<(typeof names)[number], string>,
      ...{ provider, ids: () => [], logger: createLogger('lab', 'silent'), maxPurchases },
    }
    watch = open.adopt(createWatch(options), (it) => it.close())
  })
  after(() => open.disposeAsync())

  const addPurchase = () =>
    databases.purchase.query(
      `INSERT INTO purchases (id, customer_id, body_hash, lines, amount, currency_code, payment_method, status)
       VALUES ('${newId()}', '${newId()}', '', '[]', 1, 'VND', 'sim_ok', 'ACCEPTED')`,
    )

  it('stop, and say so, while a shop has too many purchases to be read every second', async () => {
    for (let count = 0; count < maxPurchases; count++) await addPurchase()
    const checked = () => {
      const state = watch.state()
      return state.invariants && state
    }
    const { invariants } = await waitFor('a check', checked, checkDeadlineMs)
    assert.ok(invariants?.checks.every(({ ok }) => ok))
    assert.equal(watch.state().too_many_purchases, false)

    await addPurchase()
    await waitFor('too many', () => watch.state().too_many_purchases, checkDeadlineMs)
    const { looks } = watch.state()
    await assert.rejects(watch.lookNow(), /too many purchases/)

    assert.deepEqual([watch.state().invariants, watch.state().looks], [null, looks])
    await databases.purchase.query(
      'DELETE FROM purchases WHERE id = (SELECT id FROM purchases LIMIT 1)',
    )
    await waitFor('a check', () => watch.state().looks > looks, checkDeadlineMs)
    assert.equal(watch.state().too_many_purchases, false)
  })
})
