import { printReport, reconcile } from '../../bench/reconcile.ts'
import { hasEnded } from '../../bench/rules.ts'
import { countBy } from '../../bench/stats.ts'
import { watchInvariants } from '../../bench/watch.ts'
import { addressesOf } from '../../scripts/stack/addresses.ts'
import type { Drill } from './drill.ts'
import { openRig, type PurchaseRow, type RigOptions } from './rig.ts'

export type Result = {
  drill: string
  seed: number
  ok: boolean
  purchases: number
  outcomes: Record<string, number>
  faults: Record<string, number>
  /** From all being ready again to the last end of a purchase accepted before; null: nothing was unavailable. */
  recoveryMs: number | null
  /** How often the invariants were checked while the shop was working. */
  looks: number
  seconds: number
  violations: { what: string; purchaseIds: string[] }[]
}

const quietDeadlineSeconds = 300

/** Runs a drill, checks the invariants every second meanwhile, restores the shop, and reconciles everything. */
export async function runDrill(
  drill: Drill,
  options: RigOptions & { deadLettersBefore: number },
): Promise<Result & { deadLetters: number }> {
  const { stack, seed, print } = options
  const startedAt = Date.now()
  print(`\n${drill.id} ${drill.about} (seed ${seed}, ${options.purchases} purchases)`)
  const rig = await openRig(options)
  const addresses = addressesOf(stack)
  const watch = watchInvariants(addresses)
  try {
    await drill.run(rig)
  } catch (error) {
    rig.require(false, `the drill broke off: ${(error as Error).message}`)
    print((error as Error).stack ?? '')
  } finally {
    await rig.heal()
  }
  const { accepted, violations, healedAt, poisoned } = rig.findings()
  const deadLetters = options.deadLettersBefore + poisoned
  const report = await reconcile(addresses, { waitSeconds: quietDeadlineSeconds, deadLetters })
  const looked = await watch.end()
  const rows = await rig.rows()
  const lost = accepted.filter((id) => !rows.some((row) => row.id === id))
  rig.require(lost.length === 0, 'accepted and lost', lost)
  for (const { name, detail, purchaseIds } of report.checks.filter(({ ok }) => !ok)) {
    violations.push({ what: `${name}: ${detail}`, purchaseIds })
  }
  violations.push(...looked.violations)
  if (!report.ok) printReport(report)

  const result: Result = {
    drill: drill.id,
    seed,
    ok: violations.length === 0,
    purchases: accepted.length,
    outcomes: Object.fromEntries(countBy(rows, ({ status }) => status)),
    faults: Object.fromEntries(countBy(await rig.faults(), ({ fault }) => fault)),
    recoveryMs: healedAt === undefined ? null : recoveryOf(rows, healedAt),
    looks: looked.looks,
    seconds: Math.round((Date.now() - startedAt) / 1_000),
    violations,
  }
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none'
  print(`         outcomes: ${list(result.outcomes)}; injected: ${list(result.faults)}`)
  for (const { what } of violations) print(`         ${what}`)
  print(
    `         ${result.ok ? 'holds' : 'VIOLATED'} after ${result.seconds} s, ` +
      `recovery ${result.recoveryMs ?? '–'} ms, looked ${result.looks} times`,
  )
  return { ...result, deadLetters }
}

function recoveryOf(rows: PurchaseRow[], healedAt: number): number {
  const ends = rows
    .filter((row) => hasEnded(row) && row.createdAt.getTime() <= healedAt)
    .map((row) => row.updatedAt.getTime() - healedAt)
  return Math.max(0, ...ends)
}
