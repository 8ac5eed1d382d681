import { waitFor } from '../../../shared/runtime/wait-for.ts'
import type { Rig } from '../rig.ts'
import { withDatabase } from '../shop-database.ts'

/** Purchases accepted this long after a fault may still meet it; the nodes of every engine need less to notice it. */
export const affectedMs = 15_000
/** What every purchase that meets the fault must keep. */
export const recoveryLimitMs = 30_000
const deadlineMs = 120_000

type Waits = { open: number; ended: number; longest: number | null }

/** Of the purchases that meet a fault: how many are open, and how long the slowest took from the fault or its start. */
async function waitsSince(rig: Rig, at: Date): Promise<Waits> {
  return withDatabase(rig.stack, 'purchase', async (db) => {
    const { rows } = await db.query<Waits>(
      `SELECT count(*) FILTER (WHERE status IN ('ACCEPTED', 'PROCESSING', 'CANCELLING'))::int AS open,
         count(*) FILTER (WHERE created_at > $1)::int AS ended,
         (max(extract(epoch FROM updated_at - greatest(created_at, $1)))
           FILTER (WHERE updated_at > $1) * 1000)::int AS longest
       FROM purchases WHERE created_at <= $2`,
      [at, new Date(at.getTime() + affectedMs)],
    )
    return rows[0] as Waits
  })
}

/**
 * Waits until every purchase that was open at `at` or accepted soon after it has ended, and requires that none of them
 * took longer than the limit: from the fault, or from its acceptance.
 */
export async function untilRecovered(rig: Rig, at: Date): Promise<number> {
  await rig.pause(Math.max(0, at.getTime() + affectedMs - Date.now()) / 1_000)
  const { longest, ended } = await waitFor(
    'the purchases that met the fault',
    async () => {
      const waits = await waitsSince(rig, at)
      return waits.open === 0 && waits
    },
    deadlineMs,
  )
  const took = longest ?? 0
  rig.require(ended > 0, 'no purchase was accepted after the fault')
  rig.require(took <= recoveryLimitMs, `a purchase took ${took} ms after the fault`)
  rig.say(`${ended} purchases were accepted soon after the fault; the slowest took ${took} ms`)
  return took
}
