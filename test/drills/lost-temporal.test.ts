import assert from 'node:assert/strict'
import { copyFile, glob, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openShop, type Shop } from '../../bench/load.ts'
import { printReport, reconcile } from '../../bench/reconcile.ts'
import { addressesOf } from '../../scripts/stack/addresses.ts'
import { expectStatus } from '../../scripts/stack/shop-client.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { type OwnStack, startOwnStack } from '../helpers/own-stack.ts'

/** So that a purchase without a saga is missed soon. */
const overdue = { SAGA_OVERDUE_MS: '5000' }
/** So that a step is still asked for when everything is back, however long that takes on a busy machine. */
const patient = { STEP_ATTEMPTS: '20' }
const settlement = { SETTLEMENT_OVERDUE_MS: '5000' }

describe('a shop whose Temporal comes back', function () {
  this.timeout(900_000)

  let own: OwnStack
  let shop: Shop

  before(async () => {
    own = await startOwnStack({
      env: {
        purchase: overdue,
        orchestrator: { ...overdue, ...patient },
        order: settlement,
        product: settlement,
      },
    })
    shop = await openShop(own.stack.urls.api, 1)
  })

  after(() => own.close())

  async function buy(count: number): Promise<string[]> {
    const [product] = shop.products
    const order_items = [{ product_id: product?.id ?? '', quantity: 1 }]
    const bought = Array.from({ length: count }, async () =>
      expectStatus(await shop.customer.buy({ order_items }), 202),
    )
    return (await Promise.all(bought)).map(({ purchase_id }) => purchase_id)
  }

  const endsOf = (ids: string[]) =>
    Promise.all(ids.map(async (id) => (await shop.customer.waitForEnd(id, 180_000)).status))

  const files = () =>
    Array.fromAsync(glob('temporal.db*', { cwd: join(own.stack.dataDir, 'temporal') }))
  const pathOf = (file: string) => join(own.stack.dataDir, 'temporal', file)

  async function allAddsUp(): Promise<void> {
    const report = await reconcile(addressesOf(own.stack), { waitSeconds: 120 })
    if (!report.ok) printReport(report)
    assert.ok(report.ok, 'the reconciler found a violation')
  }

  /** Purchases whose sagas are about to take the payment, and what releases them. */
  async function buyUnpaid(count: number): Promise<string[]> {
    await own.stack.stopProcess('payment')
    const ids = await buy(count)
    await waitFor(
      'the orders',
      async () => {
        const shown = await Promise.all(ids.map((id) => shop.customer.getPurchase(id)))
        return shown.every(({ steps }) => steps.some(({ name }) => name === 'create-order'))
      },
      60_000,
    )
    return ids
  }

  it('with an empty database restarts what is open, and leaves alone what has ended', async () => {
    const before = await buy(4)
    assert.deepEqual(new Set(await endsOf(before)), new Set(['COMPLETED']))
    const open = await buyUnpaid(4)
    const [cancelled = '', ...others] = open

    await own.stack.stopProcess('temporal')
    assert.equal((await shop.customer.cancel(cancelled)).status, 202)
    for (const file of await files()) await rm(pathOf(file))
    await own.stack.startProcess('temporal')
    await own.stack.startProcess('payment')
    await own.stack.ensure()

    assert.deepEqual(new Set(await endsOf(others)), new Set(['COMPLETED']))
    assert.deepEqual(await endsOf([cancelled]), ['CANCELLED'])
    assert.deepEqual(new Set(await endsOf(before)), new Set(['COMPLETED']))
    await allAddsUp()
  })

  it('with an older database keeps every end that purchases have shown', async () => {
    const open = await buyUnpaid(3)
    await own.stack.stopProcess('temporal')
    const older = await files()
    for (const file of older) await copyFile(pathOf(file), pathOf(`older-${file}`))
    await own.stack.startProcess('temporal')
    await own.stack.startProcess('payment')
    const later = await buy(3)
    assert.deepEqual(new Set(await endsOf([...open, ...later])), new Set(['COMPLETED']))

    await own.stack.stopProcess('temporal')
    for (const file of await files()) await rm(pathOf(file))
    for (const file of older) await copyFile(pathOf(`older-${file}`), pathOf(file))
    await own.stack.startProcess('temporal')
    await own.stack.ensure()
    await endsOf(await buy(2))

    await allAddsUp()
    assert.deepEqual(new Set(await endsOf([...open, ...later])), new Set(['COMPLETED']))
  })
})
