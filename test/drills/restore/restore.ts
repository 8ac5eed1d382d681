import { countBy } from '../../../bench/stats.ts'
import type { Part } from '../../../scripts/backup/restore.ts'
import { formatTable } from '../../../scripts/stack/table.ts'
import { startOwnStack } from '../../helpers/own-stack.ts'
import { type Profile, profileEnv } from '../profile.ts'
import { openRig } from '../rig.ts'
import type { Result } from '../run-drill.ts'
import { type Figures, restoreRound } from './round.ts'

/** The last leaves purchases that only a person can decide about. */
const parts: (Part | 'all')[] = ['order', 'payment', 'product', 'all', 'purchase']

/** So that sweeps do soon what they can. */
const soon = '5000'

type Options = { seed: number; seeds: number; purchases: number; parts?: (Part | 'all')[] }

/** Restores each part beside newer ones, and everything, on one shop per seed. */
export async function runRestores(
  options: Options,
  profile: Profile,
  print: (line: string) => void,
  signal?: AbortSignal,
): Promise<Result[]> {
  const results: Result[] = []
  const figures: [string, Figures][] = []
  for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
    const own = await startOwnStack({
      env: {
        account: { RATE_LIMIT_REGISTER: '100000/60' },
        product: { SETTLEMENT_OVERDUE_MS: soon },
        order: { SETTLEMENT_OVERDUE_MS: soon },
        payment: { PENDING_OVERDUE_MS: soon },
        purchase: { SAGA_OVERDUE_MS: soon },
        orchestrator: { ...profileEnv(profile), SAGA_OVERDUE_MS: soon },
      },
      ...(signal && { signal }),
    })
    const isBroken = () => results.some(({ ok }) => !ok)
    try {
      for (const part of options.parts ?? parts) {
        const startedAt = Date.now()
        const { purchases } = options
        const rig = await openRig({
          ...{ stack: own.stack, seed, purchases, short: false, profile, print },
        })
        print(`\nrestore ${part} (seed ${seed}, ${purchases} purchases before and after)`)
        try {
          figures.push([part, await restoreRound(rig, part)])
        } catch (error) {
          rig.require(false, `the drill broke off: ${(error as Error).message}`)
          print((error as Error).stack ?? '')
        }
        const { violations, accepted } = rig.findings()
        results.push({
          drill: `restore ${part}`,
          seed,
          ok: violations.length === 0,
          purchases: accepted.length,
          outcomes: Object.fromEntries(countBy(await rig.rows(), ({ status }) => status)),
          faults: { restore: 1 },
          recoveryMs: null,
          looks: 0,
          seconds: Math.round((Date.now() - startedAt) / 1_000),
          violations,
        })
        if (isBroken()) break
      }
    } finally {
      await own.close({ keep: isBroken() })
    }
    if (isBroken()) {
      print(`the data is kept in ${own.stack.dataDir}`)
      break
    }
  }
  print(`\n${tableOf(figures)}`)
  return results
}

function tableOf(figures: [string, Figures][]): string {
  const head = [
    'restored',
    'backup s',
    'purchases waited ms',
    'restore s',
    'differ',
    'repaired',
    'left',
  ]
  const rows = figures.map(([part, { backupSeconds, lockedMs, restoreSeconds, ...counts }]) => [
    ...[part, backupSeconds, lockedMs, restoreSeconds],
    ...[counts.differ, counts.repaired, counts.left],
  ])
  return formatTable([head, ...rows])
}
