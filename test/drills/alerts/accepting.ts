import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import type { Rig } from '../rig.ts'
import { withDatabase } from '../shop-database.ts'
import { type AlertFault, halt, keepBuying, untilOver } from './fault.ts'

const heldMs = 900
const freeMs = 100
/** More than the pool of purchase has connections. */
const readers = 30

/** Holds a lock on the table of purchases for a while, as a migration does. */
function lockPurchases(rig: Rig, held: () => Promise<unknown>): Promise<void> {
  const lock = async (client: Client) => {
    await client.query('BEGIN')
    await client.query('LOCK TABLE purchases IN ACCESS EXCLUSIVE MODE')
    await held()
    await client.query('ROLLBACK')
  }
  return withDatabase(rig.stack, 'purchase', lock, 'postgres')
}

async function lockAgainAndAgain(rig: Rig, over: AbortSignal): Promise<void> {
  const buying = keepBuying(rig, over)
  while (!over.aborted) {
    await lockPurchases(rig, () => sleep(heldMs))
    await sleep(freeMs)
  }
  await buying
}

async function readWhileLocked(rig: Rig, over: AbortSignal): Promise<void> {
  const { customers } = await rig.buyers()
  const locked = lockPurchases(rig, () => untilOver(over))
  const reading = Array.from({ length: readers }, async (_, index) => {
    const customer = customers[index % customers.length]
    while (!over.aborted) {
      await customer?.get('/purchases?limit=1').catch(() => undefined)
      // A refusal at once must not become a loop without a pause.
      await sleep(20)
    }
  })
  await Promise.all([locked, ...reading])
}

export const acceptingFaults: AlertFault[] = [
  {
    what: 'the table of purchases is locked for 0.9 s of every second',
    alerts: ['AcceptSlowFast', 'AcceptSlowSlow'],
    run: lockAgainAndAgain,
  },
  {
    what: 'product is stopped while customers buy',
    alerts: ['AcceptFailingFast', 'AcceptFailingSlow', 'CallsNotMade'],
    async run(rig, over) {
      await Promise.all([halt(rig, 'product', over), keepBuying(rig, over)])
    },
  },
  {
    what: `the table of purchases stays locked while ${readers} customers read`,
    alerts: ['PoolExhausted'],
    run: readWhileLocked,
  },
]
