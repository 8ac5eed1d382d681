import assert from 'node:assert/strict'
import { addressesOf } from '../../bench/addresses.ts'
import { openShop, postPurchases, type Shop } from '../../bench/load.ts'
import { printReport, reconcile } from '../../bench/reconcile.ts'
import { waitFor } from '../../scripts/wait-for.ts'
import { type OwnStack, startOwnStack } from '../helpers/own-stack.ts'

const purchases = 30
const inFlight = 10

describe('purchases while a process is killed', function () {
  this.timeout(180_000)

  let own: OwnStack
  let shop: Shop

  before(async () => {
    own = await startOwnStack()
    shop = await openShop(own.stack.urls.api, 5)
  })

  after(() => own.close())

  /** The launcher starts it again; Traefik and the clients' retries bridge a service, not an engine. */
  for (const name of ['orchestrator', 'product', 'payment', 'order']) {
    it(`end, and add up, when ${name} is killed among them`, async () => {
      let posted = 0
      const kill = () => {
        posted++
        if (posted === purchases / 2) void own.stack.signal(name, 'SIGKILL')
      }
      const posts = await postPurchases(
        shop,
        { purchases, inFlight, methods: ['sim_ok', 'sim_ok', 'sim_declined'] },
        kill,
      )

      await waitFor(
        `${name} to be back`,
        async () => {
          const { processes } = await own.stack.status()
          const found = processes.find((process) => process.name === name)
          return found?.state === 'ready' && found.restarts > 0
        },
        60_000,
      )
      const report = await reconcile(addressesOf(own.stack), { waitSeconds: 90 })
      if (!report.ok) printReport(report)

      assert.ok(report.ok, 'the reconciler found a violation')
      assert.ok(posts.filter(({ purchaseId }) => purchaseId).length > purchases / 3)
    })
  }
})
