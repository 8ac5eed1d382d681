import { join } from 'node:path'
import { countBy } from '../../../bench/stats.ts'
import type { Part } from '../../../scripts/backup/restore.ts'
import { formatTable } from '../../../scripts/stack/table.ts'
import { type OwnStack, startOwnStack } from '../../helpers/own-stack.ts'
import { accountEnv } from '../drill-stack.ts'
import { untilAllEnded } from '../messages.ts'
import { type Profile, profileEnv } from '../profile.ts'
import { requestRefunds, untilRefundsEnded } from '../refunds.ts'
import { openRig, type Rig } from '../rig.ts'
import type { Result } from '../run-drill.ts'
import { type BackupFigures, backUpAtWork, type RoundFigures, restoreRound } from './round.ts'
import { addPlenty, buySteadily } from './steady.ts'

type Restored = Part | 'all'

/** The last leaves purchases that only a person can decide about. */
const parts: Restored[] = ['order', 'payment', 'product', 'all', 'purchase']
/** With one backup for all of them: after the last, what was bought since is lost everywhere. */
const agedParts: Restored[] = ['order', 'payment', 'product', 'purchase', 'all']

/** So that sweeps do soon what they can. */
const soon = '5000'

type Options = {
  seed: number
  seeds: number
  purchases: number
  /** How old the backup is at least; undefined: each part has a backup of its own, which is as new as can be. */
  minutes?: number | undefined
  /** Which parts; all that are drilled if it is empty. */
  parts?: string[]
}

type Figures = BackupFigures & RoundFigures & { part: string }

/** Restores each part beside newer ones, and everything, on one shop per seed. */
export async function runRestores(
  options: Options,
  profile: Profile,
  print: (line: string) => void,
  signal?: AbortSignal,
): Promise<Result[]> {
  const results: Result[] = []
  const figures: Figures[] = []
  const { minutes, purchases, parts: only = [] } = options
  const wanted = (minutes === undefined ? parts : agedParts).filter(
    (part) => only.length === 0 || only.includes(part),
  )
  for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
    const own = await startShop(profile, signal)
    const folderOf = (name: string) => join(own.stack.dataDir, `backup-${name}`)
    const isBroken = () => results.some(({ ok }) => !ok)

    /** Runs `work` with a rig of its own, and notes the result; undefined: it broke off. */
    async function judge<T>(drill: string, work: (rig: Rig) => Promise<T>): Promise<T | undefined> {
      const startedAt = Date.now()
      const rig = await openRig({
        ...{ stack: own.stack, seed, purchases, short: false, profile, print },
      })
      print(`\n${drill} (seed ${seed})`)
      const done = await work(rig).catch((error: Error) => {
        rig.require(false, `the drill broke off: ${error.message}`)
        print(error.stack ?? '')
        return undefined
      })
      results.push(await resultOf(rig, drill, startedAt))
      return done
    }

    const note = (part: string, backup: BackupFigures, round: RoundFigures) =>
      figures.push({ part, ...backup, ...round })

    /** Each part from a backup of its own. */
    async function restoreEach(): Promise<void> {
      for (const part of wanted) {
        await judge(`restore ${part}`, async (rig) => {
          const folder = folderOf(part)
          const backup = await backUpAtWork(rig, folder)
          note(part, backup, await restoreRound(rig, { part, folder, named: true }))
        })
        if (isBroken()) return
      }
    }

    /** All parts from one backup. What one of them shows does not keep the others from being restored. */
    async function restoreAged(minutes: number): Promise<void> {
      const folder = folderOf('aged')
      const backup = await judge(`a backup, and ${minutes} min of purchases`, async (rig) => {
        // The backup has these, and lacks those of the rigs after it.
        const products = await addPlenty(rig)
        const taken = await backUpRefunded(rig, folder)
        await buySteadily(rig, { minutes, products }, signal)
        return taken
      })
      for (const part of backup ? wanted : []) {
        const done = await judge(`restore ${part}`, (rig) =>
          restoreRound(rig, { part, folder, named: false, newer: folderOf(`before-${part}`) }),
        )
        if (!backup || !done) return
        note(part, backup, done)
      }
    }

    try {
      await (minutes === undefined ? restoreEach() : restoreAged(minutes))
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

function startShop(profile: Profile, signal?: AbortSignal): Promise<OwnStack> {
  return startOwnStack({
    env: {
      account: accountEnv,
      product: { SETTLEMENT_OVERDUE_MS: soon },
      order: { SETTLEMENT_OVERDUE_MS: soon },
      payment: { PENDING_OVERDUE_MS: soon },
      purchase: { SAGA_OVERDUE_MS: soon },
      orchestrator: { ...profileEnv(profile), SAGA_OVERDUE_MS: soon },
    },
    ...(signal && { signal }),
  })
}

/** A backup in which some refunds have ended, and none is under way: what becomes of one is left to its saga. */
async function backUpRefunded(rig: Rig, folder: string): Promise<BackupFigures> {
  await rig.buy()
  await untilAllEnded(rig)
  await requestRefunds(rig)
  await untilRefundsEnded(rig)
  return backUpAtWork(rig, folder)
}

async function resultOf(rig: Rig, drill: string, startedAt: number): Promise<Result> {
  const { violations, accepted } = rig.findings()
  return {
    drill,
    seed: rig.seed,
    ok: violations.length === 0,
    purchases: accepted.length,
    outcomes: Object.fromEntries(countBy(await rig.rows(), ({ status }) => status)),
    faults: { restore: 1 },
    recoveryMs: null,
    looks: 0,
    seconds: Math.round((Date.now() - startedAt) / 1_000),
    violations,
  }
}

const ageOf = ({ takenAt, restoredAt }: Figures) =>
  Math.round((restoredAt.getTime() - takenAt.getTime()) / 60_000)

function tableOf(figures: Figures[]): string {
  const head = ['restored', 'age min', 'backup s', 'purchases waited ms', 'restore s', 'named s']
  const rows = figures.map((each) => [
    ...[each.part, ageOf(each), each.backupSeconds, each.lockedMs],
    ...[each.restoreSeconds, each.planSeconds, each.differ, each.repaired, each.repairSeconds],
    each.left,
  ])
  return formatTable([[...head, 'differ', 'repaired', 'repair s', 'left'], ...rows])
}
