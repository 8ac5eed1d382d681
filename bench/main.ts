import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { addressesOf, findAddresses } from '../scripts/stack/addresses.ts'
import { connectStack } from '../scripts/stack/client.ts'
import { formatTable } from '../scripts/stack/table.ts'
import { silenceTemporal } from './ceiling.ts'
import { renderChart } from './chart.ts'
import { readMachine } from './machine.ts'
import { type Phase, readSettings, type Settings } from './options.ts'
import { startOwnTarget } from './own-stack.ts'
import { createProgress, type Progress } from './progress.ts'
import { printReport } from './reconcile.ts'
import { formatTables, goalRows, tablesOf } from './report.ts'
import { type Results, renderResults } from './results.ts'
import { isSound, type RunResult, runOnce, type Target } from './run.ts'
import { runStudy } from './studies.ts'

/*
 * `npm run bench`: measures the shop, on a stack of its own unless one is named, and proves that nothing was lost on
 * the way. Exits 1 when something was; such a run has no result.
 */

const checkout = join(import.meta.dirname, '..')
const picture = 'docs/results.svg'

/** The named shop: by its addresses, or by the data folder of a running stack. */
async function namedTarget(): Promise<Target | undefined> {
  const { SHOP_URL, STACK_DATA } = process.env
  if (SHOP_URL) return findAddresses()
  if (!STACK_DATA) return undefined
  const stack = await connectStack(STACK_DATA)
  return { ...addressesOf(stack), status: stack.status }
}

async function oneRun(
  settings: Settings,
  progress: Progress,
  wanted: readonly Phase[],
  signal: AbortSignal,
): Promise<RunResult> {
  const named = await namedTarget()
  if (named) return untilInterrupted(runOnce(named, settings, progress, wanted))
  progress.say('starting a stack')
  const { target, coldStartSeconds, close } = await startOwnTarget({ signal })
  try {
    const result = await untilInterrupted(runOnce(target, settings, progress, wanted))
    return { ...result, coldStartSeconds }
  } finally {
    await close()
  }
}

async function measure(settings: Settings, signal: AbortSignal): Promise<boolean> {
  const progress = createProgress()
  const machine = await readMachine()
  const studied: Results['studies'] = {}
  let ok = true
  for (const study of settings.studies) {
    const result = await runStudy(study, { settings, progress, signal })
    if (result.figures) studied[study] = result.figures
    ok &&= result.failures.length === 0
  }
  if (settings.phases.length === 0) {
    if (settings.json && settings.studies.length > 0) {
      await writeJson(settings.json, { machine, settings, runs: [], studies: studied })
    }
    return ok
  }
  const runs: RunResult[] = []
  for (let number = 1; number <= settings.runs; number++) {
    if (settings.runs > 1) progress.say(`run ${number} of ${settings.runs}`)
    const withLong = settings.long && number === settings.runs
    const wanted: Phase[] = [...settings.phases.filter((phase) => phase !== 'long')]
    if (withLong) wanted.push('long')
    const result = await oneRun(settings, progress, wanted, signal)
    if (!isSound(result)) {
      printReport(result.reconciled)
      console.log('\nNo result: the run broke an invariant.')
      return false
    }
    console.log(`\n${formatTables(tablesOf(result))}\n`)
    printReport(result.reconciled)
    runs.push(result)
  }
  console.log(`\n${formatTable(goalRows(runs))}`)
  await save({ machine, settings, runs, studies: studied }, settings)
  return ok
}

async function writeJson(file: string, results: Results): Promise<void> {
  await writeFile(file, `${JSON.stringify(results, null, 2)}\n`)
}

async function save(results: Results, { json, write }: Settings): Promise<void> {
  if (json) await writeJson(json, results)
  if (!write) return
  const last = results.runs.at(-1)
  const phases = { burst: last?.burst, 'open loop': last?.open, long: last?.long }
  const panels = Object.entries(phases).flatMap(([title, figures]) =>
    figures ? [{ title, timeline: figures.timeline }] : [],
  )
  await writeFile(join(checkout, picture), renderChart(panels))
  await writeFile(join(checkout, 'RESULTS.md'), renderResults(results, picture))
  console.log(`\nRESULTS.md and ${picture} are written`)
}

const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The first signal stops our own stack; the second does not wait for it.
    if (interrupt.signal.aborted) process.exit(130)
    interrupt.abort(new Error(`ended by ${signal}`))
  })
}

/** Stops waiting on an interrupt; open resources end with the process. */
function untilInterrupted<T>(work: Promise<T>): Promise<T> {
  const { signal } = interrupt
  return Promise.race([
    work,
    new Promise<T>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    }),
  ])
}

try {
  const settings = readSettings(process.argv.slice(2))
  silenceTemporal()
  const ok = await measure(settings, interrupt.signal)
  process.exitCode = ok ? 0 : 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
// An explicit exit, because work that failed midway may keep the event loop alive.
process.exit()
