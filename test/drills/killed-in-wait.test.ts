import assert from 'node:assert/strict'
import { addressesOf } from '../../bench/addresses.ts'
import { openShop, postPurchases, type Shop } from '../../bench/load.ts'
import { printReport, reconcile } from '../../bench/reconcile.ts'
import { waitFor } from '../../scripts/wait-for.ts'
import { type OwnStack, startOwnStack } from '../helpers/own-stack.ts'

const inFlight = 10

describe('steps that wait in a process', function () {
  this.timeout(180_000)

  let own: OwnStack
  let shop: Shop

  before(async () => {
    own = await startOwnStack()
    shop = await openShop(own.stack.urls.api, 5)
  })

  after(() => own.close())

  it('end, and add up, when it is killed', async () => {
    const metrics = `http://127.0.0.1:${own.stack.ports.orchestrator}/metrics`
    const waiting = async () => {
      const text = await (await fetch(metrics)).text()
      return Number(/^unfinished_sagas\{.*\} (\d+)$/m.exec(text)?.[1])
    }
    await own.stack.signal('payment', 'SIGSTOP')
    const options = { purchases: inFlight, inFlight, methods: ['sim_ok' as const] }
    const posts = await postPurchases(shop, options, () => {})
    await waitFor('their sagas', async () => (await waiting()) === inFlight)

    await own.stack.signal('orchestrator', 'SIGKILL')
    await own.stack.signal('payment', 'SIGCONT')

    const report = await reconcile(addressesOf(own.stack), { waitSeconds: 90 })
    if (!report.ok) printReport(report)
    assert.ok(report.ok, 'the reconciler found a violation')
    assert.deepEqual(new Set(posts.map(({ status }) => status)), new Set(['202']))
  })
})
