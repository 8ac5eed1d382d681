import { setTimeout as sleep } from 'node:timers/promises'
import { inParallel } from '../../../bench/in-parallel.ts'
import type { Rig } from '../rig.ts'
import { type AlertFault, bodyOf, halt } from './fault.ts'

/** Each that completes sends two e-mails: more than a thousand in all. */
const burst = 800
const side = 16
/** With calls this slow, the sagas of one customer take a minute. */
const slowMs = 900
const startedAtOnce = 12
/** More side by side than the service may have in flight. */
const clients = 64

/** One customer buys more than may start at once, while nobody sends the e-mails about it. */
async function buyInOneBurst(rig: Rig, over: AbortSignal): Promise<void> {
  await rig.configure({ purchase: { MAX_STARTED_PER_CUSTOMER: `${startedAtOnce}` } })
  await rig.setProvider({ faults: [{ call: 'slow', on: ['create'], ms: slowMs }] })
  const [, customer] = (await rig.buyers()).customers
  const body = await bodyOf(rig)
  const halted = halt(rig, 'mail', over)
  const all = Array.from({ length: burst })
  await inParallel(all, side, async () => {
    if (!over.aborted) await customer?.buy(body).catch(() => undefined)
  })
  await halted
}

/** Purchase has small limits, and gets more than them. */
async function buyBeyondLimits(rig: Rig, over: AbortSignal): Promise<void> {
  await rig.configure({ purchase: { MAX_IN_FLIGHT: '8', MAX_UNFINISHED_PURCHASES: '20' } })
  await rig.setProvider({ faults: [{ call: 'slow', on: ['create'], ms: slowMs }] })
  const { customers } = await rig.buyers()
  const body = await bodyOf(rig)
  await Promise.all(
    Array.from({ length: clients }, async (_, index) => {
      while (!over.aborted) {
        await customers[index % customers.length]?.buy(body).catch(() => undefined)
        await sleep(500)
      }
    }),
  )
}

export const loadFaults: AlertFault[] = [
  {
    what: `one customer buys ${burst} times at once, and mail is stopped`,
    alerts: ['PurchasesWaitForTurn', 'ConsumerLags'],
    run: buyInOneBurst,
  },
  {
    what: `${clients} buyers at once for a service that takes 8 requests and 20 purchases`,
    alerts: ['PurchasesRefused', 'RequestsShed'],
    run: buyBeyondLimits,
  },
]
