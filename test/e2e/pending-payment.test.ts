import assert from 'node:assert/strict'
import { Client } from 'pg'
import { databaseUrl } from '../../scripts/stack/client.ts'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import { commandId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { testStack } from '../helpers/stack.ts'
import { sellTea } from '../helpers/tea.ts'

describe('a payment of which payment never learned', function () {
  this.timeout(180_000)

  const open = new AsyncDisposableStack()
  let sql: Client

  before(async () => {
    sql = new Client({ connectionString: databaseUrl(await testStack(), 'payment') })
    await sql.connect()
    open.defer(() => sql.end())
  })

  after(() => open.disposeAsync())

  it('is settled by what the provider says of it, without a command or an event', async () => {
    const { urls } = await testStack()
    const customer = await registerCustomer(urls.api)
    const product = await sellTea(customer)
    const order_items = [{ product_id: product.id, quantity: 1 }]
    const { purchase_id } = (await customer.buy({ order_items })).body
    assert.equal((await customer.waitForEnd(purchase_id)).status, 'COMPLETED')
    const take = commandId(purchase_id, 'take-payment')
    const stored = async () => {
      const { rows } = await sql.query(
        `SELECT status, reply FROM payments, inbox WHERE id = $1 AND command_id = $2`,
        [purchase_id, take],
      )
      return rows[0]
    }
    const before = await stored()
    assert.equal(before.status, 'CAPTURED')
    const told = async () =>
      (await sql.query('SELECT 1 FROM provider_events WHERE payment_id = $1', [purchase_id]))
        .rowCount === 1
    await waitFor('the event, which does not come again', told)

    // As after a process that died with the answer, and an event that was lost.
    await sql.query('UPDATE inbox SET reply = NULL WHERE command_id = $1', [take])
    await sql.query(
      `UPDATE payments SET status = 'PENDING', updated_at = now() - interval '1 hour' WHERE id = $1`,
      [purchase_id],
    )

    await waitFor('the sweep', async () => (await stored()).status === 'CAPTURED', 60_000)
    assert.deepEqual(await stored(), before)
  })
})
