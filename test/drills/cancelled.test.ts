import assert from 'node:assert/strict'
import { Client } from '@temporalio/client'
import { openShop, type Shop } from '../../bench/load.ts'
import { printReport, reconcile } from '../../bench/reconcile.ts'
import { addressesOf } from '../../scripts/stack/addresses.ts'
import { expectStatus } from '../../scripts/stack/shop-client.ts'
import { purchaseWorkflowId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { connectToTemporal } from '../../temporal/connect.ts'
import { namespace } from '../../temporal/setup.ts'
import { type OwnStack, startOwnStack } from '../helpers/own-stack.ts'

const endsWithinMs = 240_000
/** How often customers cancel until one of them was in time. */
const maxRounds = 5
const ends = new Set(['COMPLETED', 'CANCELLED', 'REJECTED'])

describe('purchases that are cancelled', function () {
  this.timeout(900_000)

  let own: OwnStack
  let shop: Shop

  before(async () => {
    own = await startOwnStack()
    shop = await openShop(own.stack.urls.api, 1)
  })

  after(() => own.close())

  async function buy(): Promise<string> {
    const [product] = shop.products
    const order_items = [{ product_id: product?.id ?? '', quantity: 1 }]
    return expectStatus(await shop.customer.buy({ order_items }), 202).purchase_id
  }

  async function cancel(id: string): Promise<number> {
    const { status } = await shop.customer.cancel(id)
    assert.ok([202, 409].includes(status), `${status}`)
    return status
  }

  async function allAddUp(ids: string[]): Promise<string[]> {
    const statuses = await Promise.all(
      ids.map(async (id) => (await shop.customer.waitForEnd(id, endsWithinMs)).status),
    )
    const report = await reconcile(addressesOf(own.stack), { waitSeconds: 120 })
    if (!report.ok) printReport(report)
    assert.ok(report.ok, 'the reconciler found a violation')
    return statuses
  }

  /** Until a purchase has so many steps, or has ended. */
  async function untilSteps(id: string, count: number): Promise<void> {
    const hasThem = async () => {
      const { steps, status } = await shop.customer.getPurchase(id)
      return steps.length >= count || ends.has(status)
    }
    await waitFor('a step', hasThem, endsWithinMs)
  }

  it('at any moment end in one way, and add up', async () => {
    let statuses: string[] = []
    // A purchase may have completed before its cancel request comes.
    for (let round = 0; round < maxRounds && !statuses.includes('CANCELLED'); round++) {
      const ids = await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const id = await buy()
          // Some at once, some when a step or more has been taken.
          if (index % 4 !== 0) await untilSteps(id, index % 4)
          const status = await cancel(id)
          if (status === 202) await cancel(id)
          return id
        }),
      )

      statuses = await allAddUp(ids)
      assert.ok(statuses.every((status) => ends.has(status)))
    }
    assert.ok(statuses.includes('CANCELLED'))
  })

  it('while payment is killed end in one way, with one refund or void for each', async () => {
    const ids: string[] = []
    const asked: Promise<unknown>[] = []
    for (let index = 0; index < 10; index++) {
      const id = await buy()
      ids.push(id)
      if (index === 5) await own.stack.signal('payment', 'SIGKILL')
      // One without an answer has asked for nothing.
      asked.push(shop.customer.cancel(id).catch(() => undefined))
    }
    await Promise.all(asked)

    const statuses = await allAddUp(ids)
    assert.ok(statuses.every((status) => ends.has(status)))
  })

  it('while the orchestrator is unavailable have their 202, and are cancelled when it is back', async () => {
    await own.stack.stopProcess('orchestrator')
    const id = await buy()
    const status = await cancel(id)
    const shown = await shop.customer.getPurchase(id)
    await own.stack.startProcess('orchestrator')

    assert.equal(status, 202)
    assert.equal(shown.status, 'CANCELLING')
    assert.deepEqual(await allAddUp([id]), ['CANCELLED'])
  })

  it('by ending their sagas from outside end all the same', async () => {
    const connection = await connectToTemporal(own.stack.urls.temporal)
    const { workflow } = new Client({ connection, namespace })
    const ids = await Promise.all(Array.from({ length: 8 }, buy))
    await Promise.all(
      ids.map(async (id, index) => {
        await untilSteps(id, index % 4)
        // One that has ended meanwhile is no less welcome.
        await workflow
          .getHandle(purchaseWorkflowId(id))
          .terminate('drill')
          .catch(() => undefined)
      }),
    )
    await connection.close()

    const statuses = await allAddUp(ids)
    assert.ok(statuses.every((status) => ends.has(status)))
  })
})
