import { request } from '../scripts/stack/shop-client.ts'
import type { TourName } from '../shared/contracts/lab.ts'
import type { Saga } from '../shared/contracts/operator.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import type { Breakage } from './breaker.ts'
import type { Buyers } from './buyers.ts'
import type { Watch } from './watch.ts'

/** Where a tour acts as an operator. */
export type OperatorApi = { url: string; token: string }

/** What a tour may do with the lab. */
type Site = {
  breakFor(breakage: Breakage, seconds: number): Promise<string>
  off(id: string): Promise<void>
  heal(): Promise<void>
  buyers: Buyers
  watch: Watch
  operatorApi: OperatorApi
}
type Say = (line: string) => void
type Tour = { launcher: boolean; run: (site: Site, say: Say, short: boolean) => Promise<void> }

const endDeadlineMs = 240_000
const stuckDeadlineMs = 240_000
const checkDeadlineMs = 60_000
const perSecond = 4

/** Waits until every purchase of the lab has ended, and requires that what must hold does. */
async function settle({ watch }: Site, say: Say, hadFault = true): Promise<void> {
  await waitFor(
    'every purchase to end',
    async () => {
      await watch.lookNow().catch(() => undefined)
      return watch.openIds().length === 0
    },
    endDeadlineMs,
  )
  const checks = await watch.lookNow()
  const broken = checks.filter(({ ok }) => !ok).map(({ name }) => name)
  const problems = [...watch.violations(), ...broken]
  if (problems.length > 0) throw new Error(`an invariant does not hold: ${problems.join('; ')}`)
  const { recovery, by_status: byStatus } = watch.state()
  const counts = Object.entries(byStatus).map(([status, count]) => `${status} ${count}`)
  say(`every purchase has ended: ${counts.join(', ')}`)
  if (hadFault) say(`recovered ${recovery?.recovered_ms ?? 0} ms after the fault was over`)
  say(`${checks.length} checks of the invariants hold`)
}

/** Buys for some seconds while something is broken in the middle. */
async function buyWhile(
  site: Site,
  say: Say,
  { breakage, seconds, what }: { breakage: Breakage; seconds: number; what: string },
): Promise<void> {
  await site.buyers.prepare()
  say(`buyers buy ${perSecond} times a second`)
  const buying = site.buyers.run(perSecond, seconds + 5)
  say(what)
  const looksBefore = site.watch.looks()
  const id = await site.breakFor(breakage, seconds)
  await buying
  await site.off(id)
  // Where a check takes long, the first of them has just begun.
  const { watch } = site
  await waitFor('a check of the invariants', () => watch.looks() > looksBefore, checkDeadlineMs)
  say(`the fault is over: the invariants were checked ${watch.looks() - looksBefore} times`)
  await settle(site, say)
}

async function operate<T>(
  { operatorApi }: Site,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
) {
  const { url, token } = operatorApi
  return request<T>(url, method, path, { token, ...(body && { body }) })
}

/** A purchase whose capture is never answered and whose refund fails stands until an operator decides. */
async function letOperatorDecide(site: Site, say: Say): Promise<void> {
  await site.buyers.prepare()
  say('the answers of payment to captures are lost, and the provider refuses refunds of one card')
  const lost = await site.breakFor(
    { kind: 'lose-payment-replies', target: null, percent: 100 },
    600,
  )
  const id = await site.buyers.buy('sim_refund_fails')
  say(`purchase ${id}: its payment was taken, and nobody was told`)
  await waitFor(
    'the undo to be stuck',
    async () => {
      const { status, body } = await operate<Saga>(site, 'GET', `/sagas/${id}`)
      return status === 200 && body.undos.some(({ state }) => state === 'stuck')
    },
    stuckDeadlineMs,
  )
  say('the undo is stuck: it is tried again slowly, and an operator is told')
  await site.off(lost)
  await waitFor(
    'the answer of the operator',
    async () => {
      const note = 'refunded by bank transfer, in the failure lab'
      const { status } = await operate(site, 'POST', `/sagas/${id}/resolve`, { note })
      return status === 202
    },
    60_000,
  )
  say('an operator has refunded the money by hand, and resolves the undo with a note')
  await settle(site, say)
  const status = site.watch.statusOf(id)
  if (status !== 'RESOLVED') throw new Error(`the purchase has ended ${status}`)
  say('the purchase has ended RESOLVED')
}

async function rush(site: Site, say: Say, short: boolean): Promise<void> {
  const [buyers, units] = short ? [40, 10] : [200, 50]
  await site.buyers.prepare()
  say(`${buyers} buyers want one of ${units} units at the same moment`)
  const { accepted } = await site.buyers.rush(buyers, units)
  await settle(site, say, false)
  const completed = accepted.filter((id) => site.watch.statusOf(id) === 'COMPLETED').length
  say(`${completed} of ${buyers} got one`)
  if (completed !== units) throw new Error(`${completed} of ${units} units were sold`)
}

export const tours: Record<TourName, Tour> = {
  'kill-payment': {
    launcher: true,
    run: (site, say, short) =>
      buyWhile(site, say, {
        breakage: { kind: 'kill-service', target: 'payment', percent: null },
        seconds: short ? 3 : 5,
        what: 'payment is killed, and stays down for a while',
      }),
  },
  'lose-replies': {
    launcher: true,
    run: (site, say, short) =>
      buyWhile(site, say, {
        breakage: { kind: 'lose-replies', target: null, percent: 10 },
        seconds: short ? 4 : 10,
        what: 'a tenth of the replies of all participants is lost',
      }),
  },
  'refund-fails': { launcher: true, run: letOperatorDecide },
  'two-hundred-buyers': { launcher: false, run: rush },
  'temporal-stops': {
    launcher: true,
    run: (site, say, short) =>
      buyWhile(site, say, {
        breakage: { kind: 'stop-engine', target: 'temporal', percent: null },
        seconds: short ? 4 : 10,
        what: 'Temporal is stopped: what was accepted waits',
      }),
  },
}
