import assert from 'node:assert/strict'
import { PlanChangedError, type Report, reconcile, repair } from '../../../bench/reconcile.ts'
import { printPlan } from '../../../bench/repair.ts'
import type { Action, Plan } from '../../../bench/repair-plan.ts'
import { connectSagas } from '../../../bench/sagas.ts'
import { countBy } from '../../../bench/stats.ts'
import { type Part, restoreBackup } from '../../../scripts/backup/restore.ts'
import { takeBackup } from '../../../scripts/backup/take.ts'
import { type Addresses, addressesOf } from '../../../scripts/stack/addresses.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import type { Rig } from '../rig.ts'
import { type Books, expectedToDiffer, isHealing, readBooks, underWay } from './books.ts'

const perSecond = 10
const quietSeconds = 300
const healDeadlineMs = 600_000

export type BackupFigures = { takenAt: Date; backupSeconds: number; lockedMs: number }

/** What one round has shown. `planSeconds`: until all that differ were named. */
export type RoundFigures = {
  restoredAt: Date
  restoreSeconds: number
  planSeconds: number
  repairSeconds: number
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

/** How purchases differ, what the plan does, and what it leaves to a person, with how often. */
function sayKinds(rig: Rig, { items, undecided }: Plan): void {
  for (const [kind, count] of countBy([...items, ...undecided], kindOf)) {
    rig.say(`${count} differ: ${kind}`)
  }
  for (const [kind, count] of countBy(items, ({ actions }) => actions.map(nameOf).join(', '))) {
    rig.say(`repairs ${count}: ${kind}`)
  }
  for (const [why, count] of countBy(undecided, (each) => each.why)) {
    rig.say(`leaves to a person ${count}: ${why}`)
  }
}

/** Without ids and amounts. */
const kindOf = ({ differs }: { differs: string[] }) =>
  differs
    .join('; ')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|pi_\w+/g, '…')
    .replace(/\d+/g, 'n')

const nameOf = (action: Action) => (action.act === 'command' ? action.name : action.act)

/** Buys, and takes a backup while customers buy. */
export async function backUpAtWork(rig: Rig, folder: string): Promise<BackupFigures> {
  await rig.buy()
  const start = performance.now()
  const taking = takeBackup(rig.stack, folder, rig.say)
  await rig.buy({ purchases: Math.ceil(rig.purchases / 2), during: taking, perSecond })
  const { lockedMs, taken_at } = await taking
  return {
    takenAt: new Date(taken_at),
    backupSeconds: secondsSince(start),
    lockedMs: Math.round(lockedMs),
  }
}

type RoundOptions = {
  part: Part | 'all'
  /** The backup that is restored. */
  folder: string
  /** Prints each purchase of the plan; otherwise how many there are of each kind. */
  named: boolean
  /** Where a backup is made before: what this one leaves to a person is put right from there. */
  newer?: string
}

/**
 * Buys more than a backup has, and restores a part beside what is newer, or everything. The reconciler must name just the
 * purchases that differ, and the plan must repair them, or leave them to a person by name.
 */
export async function restoreRound(
  rig: Rig,
  { part, folder, named: printsNames, newer }: RoundOptions,
): Promise<RoundFigures> {
  const { stack } = rig
  const addresses = addressesOf(stack)
  await rig.buy()
  const clean = await reconcile(addresses, { waitSeconds: quietSeconds })
  rig.require(clean.ok, 'the shop was not right before the restore', [...namedBy(clean)])
  if (newer) await takeBackup(stack, newer, rig.say)

  const before = await readBooks(stack)
  const restoredAt = new Date()
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

  const planStart = performance.now()
  const { report, plan } = await repair(addresses, { waitSeconds: quietSeconds })
  const planSeconds = secondsSince(planStart)
  if (printsNames) printPlan(plan, rig.say)
  else sayKinds(rig, plan)
  const expected = expectedToDiffer(part, { before, restored })
  const named = namedBy(report)
  const open = part === 'all' ? underWay(restored) : new Set<string>()
  requireSame(rig, `restore ${part}`, named.difference(open), expected.difference(open))
  rig.say(`${named.size} purchases differ; the plan ${plan.id} repairs ${plan.items.length}`)

  await requireRefused(rig, addresses, 'another-plan')
  let left = named
  const repairStart = performance.now()
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
  const repairSeconds = secondsSince(repairStart)
  await requireRefused(rig, addresses, plan.id)
  const undecided = new Set(plan.undecided.map(({ purchaseId }) => purchaseId))
  requireSame(rig, 'after the repair', left, undecided)
  if (newer && part !== 'all' && left.size > 0) {
    rig.say(`puts ${part} back as it was`)
    await restoreBackup(stack, newer, { only: part }, rig.say)
  }
  const repaired = plan.items.length
  const counts = { differ: named.size, repaired, left: left.size }
  return { restoredAt, restoreSeconds, planSeconds, repairSeconds, ...counts }
}
