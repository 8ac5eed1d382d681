import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { percentile } from '../../bench/stats.ts'
import { formatTable } from '../../bench/table.ts'
import { runNode } from '../../scripts/check.ts'
import { databaseUrl } from '../../scripts/stack-client.ts'
import type { Drill, TestedDrill } from './drill.ts'
import { type DrillStack, startDrillStack } from './drill-stack.ts'
import { drills, testedDrills } from './drills.ts'
import { proveGuards } from './guards.ts'
import { type ProfileName, profiles } from './profile.ts'
import { type Result, runDrill } from './run-drill.ts'

/*
 * `npm run drill -- <name>...|all|guards`: breaks a shop of its own in the way of each drill, and says what came of it.
 * Exits 1 when an invariant did not hold.
 */

const usage = `npm run drill -- all|guards|${drills.map(({ id }) => id).join('|')}… [--seed N] [--seeds N] \
[--purchases N] [--short] [--profile drill|production] [--json FILE]`
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
    purchases: values.purchases === undefined ? undefined : count(values.purchases),
    profile: values.profile as ProfileName,
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

/** Drills that are tests of a room: their file on a stack without services. */
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
      console.log(`\n${drill} seed ${seed}: ${what}\n  ${purchaseIds.join(' ')}`)
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
  const chosen = choose(drills, options)
  const tested = choose(testedDrills, options)
  if (chosen.length + tested.length === 0) throw new Error(usage)

  const results = await runAll(chosen, options, interrupt.signal)
  const testsPass = await runTested(tested, interrupt.signal)
  if (results.length > 0) printTable(results)
  if (options.json) {
    const { seed, seeds, short, profile } = options
    const report = { seed, seeds, short, profile, results, tested: { ok: testsPass } }
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
