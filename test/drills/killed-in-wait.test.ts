import assert from 'node:assert/strict'
import { openShop, postPurchases, type Shop } from '../../bench/load.ts'
import { printReport, reconcile } from '../../bench/reconcile.ts'
import { addressesOf } from '../../scripts/stack/addresses.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { type OwnStack, startOwnStack } from '../helpers/own-stack.ts'

const inFlight = 10
const addUpSeconds = 170
/** Longer than all of this takes: the participants' own sweeps must not be what finds an end. */
const settlement = { SETTLEMENT_OVERDUE_MS: '600000' }

describe('steps that wait in a process', function () {
  this.timeout(420_000)

  let own: OwnStack
  let shop: Shop

  before(async () => {
    own = await startOwnStack({ env: { order: settlement, product: settlement } })
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
    await waitFor('their sagas', async () => (await waiting()) === inFlight, 60_000)

    await own.stack.signal('orchestrator', 'SIGKILL')
    await own.stack.signal('payment', 'SIGCONT')

    await addUp()
    assert.deepEqual(new Set(posts.map(({ status }) => status)), new Set(['202']))
  })

  it('end, and add up, when it is killed between the end that is stored and its announcement', async () => {
    const dies = { at: 'before-publish', action: 'kill', names: ['purchaseEnded'], nth: 3 }
    own.stack.setServiceEnv('orchestrator', { FAULTS: JSON.stringify([dies]) })
    await own.stack.stopProcess('orchestrator')
    await own.stack.startProcess('orchestrator')
    own.stack.setServiceEnv('orchestrator', {})
    const { restarts } = await orchestrator()

    const options = { purchases: inFlight, inFlight, methods: ['sim_ok' as const] }
    const posts = await postPurchases(shop, options, () => {})
    await waitFor('the kill', async () => (await orchestrator()).restarts > restarts, 60_000)

    await addUp()
    assert.deepEqual(new Set(posts.map(({ status }) => status)), new Set(['202']))
  })

  async function orchestrator() {
    const { processes } = await own.stack.status()
    const found = processes.find(({ name }) => name === 'orchestrator')
    assert.ok(found)
    return found
  }

  async function addUp(): Promise<void> {
    const report = await reconcile(addressesOf(own.stack), { waitSeconds: addUpSeconds })
    if (!report.ok) printReport(report)
    assert.ok(report.ok, 'the reconciler found a violation')
  }
})
