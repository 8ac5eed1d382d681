import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PlanChangedError, type Report, reconcile, repair } from '../../../bench/reconcile.ts'
import { printPlan } from '../../../bench/repair.ts'
import { connectSagas } from '../../../bench/sagas.ts'
import { type Part, restoreBackup } from '../../../scripts/backup/restore.ts'
import { takeBackup } from '../../../scripts/backup/take.ts'
import { type Addresses, addressesOf } from '../../../scripts/stack/addresses.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import type { Rig } from '../rig.ts'
import { type Books, expectedToDiffer, isHealing, readBooks, underWay } from './books.ts'

const perSecond = 10
const quietSeconds = 120
const healDeadlineMs = 240_000

/** What one round has shown. */
export type Figures = {
  backupSeconds: number
  lockedMs: number
  restoreSeconds: number
  differ: number
  repaired: number
  left: number
}

const secondsSince = (start: number) => Math.round((performance.now() - start) / 100) / 10

const namedBy = ({ checks }: Report) =>
  new Set(checks.filter(({ ok }) => !ok).flatMap(({ purchaseIds }) => purchaseIds))

/** Requires the same ids, or names those that only one of both has. */
function requireSame(rig: Rig, what: string, found: Set<string>, expected: Set<string>): void {
  rig.require(found.isSubsetOf(expected), `${what}: named without reason`, [
    ...found.difference(expected),
  ])
  rig.require(expected.isSubsetOf(found), `${what}: not named`, [...expected.difference(found)])
}

/** Waits until the sweeps have done what they can: also sagas that were terminated have got another run. */
async function waitForSweeps({ stack }: Rig, { temporal }: Addresses): Promise<void> {
  const sagas = await connectSagas(temporal)
  const allReturned = async () => {
    for await (const page of sagas.notCompleted()) if (page.length > 0) return false
    return true
  }
  try {
    await waitFor(
      'the sweeps',
      async () => !isHealing(await readBooks(stack)) && (await allReturned()),
      healDeadlineMs,
    )
  } finally {
    await sagas.close()
  }
}

async function requireRefused(rig: Rig, addresses: Addresses, confirm: string): Promise<void> {
  try {
    await repair(addresses, { waitSeconds: quietSeconds, confirm })
    rig.require(false, `the plan ${confirm} was carried out, and it is not the plan`)
  } catch (error) {
    if (!(error instanceof PlanChangedError)) throw error
    rig.say(error.message)
  }
}

/**
 * Buys, takes a backup while customers buy, buys more, and restores a part beside what is newer, or everything. The
 * reconciler must name just the purchases that differ, and the plan must repair them, or leave them to a person by name.
 */
export async function restoreRound(rig: Rig, part: Part | 'all'): Promise<Figures> {
  const { stack, purchases } = rig
  const addresses = addressesOf(stack)
  const dir = await mkdtemp(join(tmpdir(), 'saga-backup-'))
  const folder = join(dir, 'backup')
  try {
    await rig.buy()
    const backupStart = performance.now()
    const taking = takeBackup(stack, folder, rig.say)
    await rig.buy({ purchases: Math.ceil(purchases / 2), during: taking, perSecond })
    const { lockedMs } = await taking
    const backupSeconds = secondsSince(backupStart)
    await rig.buy()
    const clean = await reconcile(addresses, { waitSeconds: quietSeconds })
    rig.require(clean.ok, 'the shop was not right before the restore', [...namedBy(clean)])

    const before = await readBooks(stack)
    const restoreStart = performance.now()
    const restoring = Promise.withResolvers<Books>()
    await restoreBackup(
      stack,
      folder,
      {
        ...(part !== 'all' && { only: part }),
        onRestored: async () => restoring.resolve(await readBooks(stack)),
      },
      rig.say,
    )
    const restoreSeconds = secondsSince(restoreStart)
    const restored = await restoring.promise
    await waitForSweeps(rig, addresses)

    const { report, plan } = await repair(addresses, { waitSeconds: quietSeconds })
    printPlan(plan, rig.say)
    const expected = expectedToDiffer(part, { before, restored })
    const named = namedBy(report)
    const open = part === 'all' ? underWay(restored) : new Set<string>()
    requireSame(rig, `restore ${part}`, named.difference(open), expected.difference(open))
    rig.say(`${expected.size} purchases differ; the plan ${plan.id} repairs ${plan.items.length}`)

    await requireRefused(rig, addresses, 'another-plan')
    let left = named
    if (plan.items.length > 0) {
      const { outcomes = [], after } = await repair(addresses, {
        waitSeconds: quietSeconds,
        confirm: plan.id,
      })
      for (const { purchaseId, failed } of outcomes) {
        rig.require(failed === undefined, `not repaired: ${failed}`, [purchaseId])
      }
      assert.ok(after)
      for (const { ok, name, detail } of after.checks) if (!ok) rig.say(`${name}: ${detail}`)
      left = namedBy(after)
    }
    await requireRefused(rig, addresses, plan.id)
    const undecided = new Set(plan.undecided.map(({ purchaseId }) => purchaseId))
    requireSame(rig, 'after the repair', left, undecided)
    const repaired = plan.items.length
    const figures = { backupSeconds, lockedMs: Math.round(lockedMs), restoreSeconds }
    return { ...figures, differ: named.size, repaired, left: left.size }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
