import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { percentile } from '../../bench/stats.ts'
import { databaseUrl } from '../../scripts/stack/client.ts'
import { runNode } from '../../scripts/stack/run-node.ts'
import { formatTable } from '../../scripts/stack/table.ts'
import { runAlerts } from './alerts/alerts.ts'
import { runClusterDrills } from './cluster/cluster.ts'
import type { Drill, TestedDrill } from './drill.ts'
import { type DrillStack, startDrillStack } from './drill-stack.ts'
import { drills, testedDrills } from './drills.ts'
import { proveGuards } from './guards.ts'
import { runRotateKeys } from './keys/rotate-keys.ts'
import { type ProfileName, profiles } from './profile.ts'
import { runRestores } from './restore/restore.ts'
import { type Result, runDrill } from './run-drill.ts'
import { soakDrill } from './soak/soak.ts'
import { runUpgrades } from './upgrade/upgrade.ts'

/*
 * `npm run drill -- <name>...|all|guards|upgrade|soak|restore|rotate-keys|cluster|alerts`: starts a shop of its own,
 * breaks it as each drill says, and prints the results. Exits 1 if an invariant did not hold.
 */

const usage = `npm run drill -- all|guards|upgrade|soak|restore|rotate-keys|cluster|alerts|${drills.map(({ id }) => id).join('|')}… \
[--seed N] [--seeds N] [--purchases N] [--short] [--profile drill|production] [--from TAG] [--minutes N] \
[--only NAME,…] [--replicas N,…] [--json FILE]`
const defaultPurchases = 100
const restorePurchases = 40
/** Of the purchases that one violation is about. */
const maxPrinted = 20
const soakMinutes = 60
const checkout = join(import.meta.dirname, '../..')
const mocha = join(checkout, 'node_modules/mocha/bin/mocha.js')

function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '1' },
      // How many seeds, from --seed on.
      seeds: { type: 'string', default: '1' },
      purchases: { type: 'string' },
      short: { type: 'boolean', default: false },
      profile: { type: 'string', default: 'drill' },
      // The release that is upgraded; the last one before this code without it.
      from: { type: 'string' },
      // Which drills on a cluster, alerts or parts of a backup; of the cluster also how many replicas of each service.
      only: { type: 'string', default: '' },
      replicas: { type: 'string', default: '1,2,3' },
      // How long the soak takes; how old the backup is that is restored, if it is to have an age.
      minutes: { type: 'string' },
      json: { type: 'string' },
    },
  })
  if (positionals.length === 0) throw new Error(usage)
  if (!Object.hasOwn(profiles, values.profile)) throw new Error(usage)
  const count = (text: string) => {
    if (/^\d+$/.test(text) && Number(text) > 0) return Number(text)
    throw new Error(usage)
  }
  return {
    ...values,
    names: positionals.map((name) => (name === 'all' ? name : name.toUpperCase())),
    seed: count(values.seed),
    seeds: count(values.seeds),
    minutes: values.minutes === undefined ? undefined : count(values.minutes),
    purchases: values.purchases === undefined ? undefined : count(values.purchases),
    profile: values.profile as ProfileName,
    only: values.only.toUpperCase().split(',').filter(Boolean),
    replicas: values.replicas.split(',').map(count),
  }
}

type Options = ReturnType<typeof readOptions>

function choose<T extends { id: string }>(all: T[], { names }: Options): T[] {
  return names.includes('all') ? all : all.filter(({ id }) => names.includes(id))
}

/** Every drill with every seed. A stack that a drill has left broken is replaced, and its data kept. */
async function runAll(chosen: Drill[], options: Options, signal: AbortSignal): Promise<Result[]> {
  const results: Result[] = []
  const profile = profiles[options.profile]
  let own: DrillStack | undefined
  try {
    for (const drill of chosen) {
      for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
        own ??= await startDrillStack(profile, signal)
        const { deadLetters, ...result } = await runDrill(drill, {
          stack: own.stack,
          seed,
          purchases: options.purchases ?? (options.short ? drill.short : drill.purchases),
          short: options.short,
          profile,
          print: console.log,
          deadLettersBefore: own.deadLetters,
        })
        own.deadLetters = deadLetters
        results.push(result)
        if (result.ok) continue
        console.log(`the data is kept in ${own.stack.dataDir}`)
        await own.close({ keep: true })
        own = undefined
      }
    }
  } finally {
    await own?.close()
  }
  return results
}

/** Drills of a single module: run their test file on a stack without services. */
async function runTested(chosen: TestedDrill[], signal: AbortSignal): Promise<boolean> {
  if (chosen.length === 0) return true
  const own = await startDrillStack(profiles.drill, signal)
  let ok = true
  try {
    for (const { id, about, file, grep } of chosen) {
      console.log(`\n${id} ${about}`)
      const passed = await runNode([mocha, ...(grep ? ['--grep', grep] : []), file], {
        TEST_STACK_DATA: own.stack.dataDir,
        TEST_POSTGRES_URL: databaseUrl(own.stack, 'order', 'postgres'),
      })
      ok &&= passed
    }
  } finally {
    await own.close()
  }
  return ok
}

function printTable(results: Result[]): void {
  const byDrill = Map.groupBy(results, ({ drill }) => drill)
  const rows = [...byDrill].map(([drill, runs]) => {
    const recoveries = runs.flatMap(({ recoveryMs }) => recoveryMs ?? [])
    const recovery = (percent: number) =>
      recoveries.length === 0 ? '–' : percentile(recoveries, percent)
    const sum = (of: (run: Result) => number) => runs.reduce((all, run) => all + of(run), 0)
    return [
      drill,
      runs.length,
      sum(({ purchases }) => purchases),
      sum(({ faults }) => Object.values(faults).reduce((all, count) => all + count, 0)),
      sum(({ looks }) => looks),
      recovery(50),
      recovery(99),
      sum(({ violations }) => violations.length),
    ]
  })
  const head = ['drill', 'seeds', 'purchases', 'injected', 'looks']
  console.log(`\n${formatTable([[...head, 'recovery p50 ms', 'p99 ms', 'violations'], ...rows])}`)
  for (const { drill, seed, violations } of results) {
    for (const { what, purchaseIds } of violations) {
      const more = purchaseIds.length - maxPrinted
      const ids = purchaseIds.slice(0, maxPrinted).join(' ')
      const rest = more > 0 ? ` and ${more} more, which --json has` : ''
      console.log(`\n${drill} seed ${seed}: ${what}\n  ${ids}${rest}`)
    }
  }
}

async function main(): Promise<boolean> {
  const options = readOptions()
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupt.abort(new Error(`ended by ${signal}`)))
  }
  if (options.names.includes('GUARDS')) return proveGuards(interrupt.signal)
  const profile = profiles[options.profile]
  if (options.names.includes('ALERTS')) {
    return runAlerts(options, profile, console.log, interrupt.signal)
  }
  const chosen = choose(drills, options)
  if (options.names.includes('SOAK')) chosen.push(soakDrill(options.minutes ?? soakMinutes))
  const tested = choose(testedDrills, options)
  const [upgrades, restores, rotates, clustered] = [
    'UPGRADE',
    'RESTORE',
    'ROTATE-KEYS',
    'CLUSTER',
  ].map((name) => options.names.includes(name))
  const others = upgrades || restores || rotates || clustered
  if (chosen.length + tested.length === 0 && !others) throw new Error(usage)

  const results = await runAll(chosen, options, interrupt.signal)
  const { purchases = defaultPurchases } = options
  if (upgrades) {
    results.push(...(await runUpgrades({ ...options, purchases }, profile, interrupt.signal)))
  }
  if (clustered) {
    results.push(...(await runClusterDrills({ ...options, purchases }, profile, interrupt.signal)))
  }
  if (restores) {
    const { purchases = restorePurchases, only } = options
    const restore = { ...options, purchases, parts: only.map((part) => part.toLowerCase()) }
    results.push(...(await runRestores(restore, profile, console.log, interrupt.signal)))
  }
  if (rotates) results.push(await runRotateKeys(options, profile, console.log, interrupt.signal))
  const testsPass = await runTested(tested, interrupt.signal)
  if (results.length > 0) printTable(results)
  if (options.json) {
    const { seed, seeds, short } = options
    const report = {
      seed,
      seeds,
      short,
      profile: options.profile,
      results,
      tested: { ok: testsPass },
    }
    await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`)
  }
  return testsPass && results.every(({ ok }) => ok)
}

try {
  if (!(await main())) process.exitCode = 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
process.exit()
