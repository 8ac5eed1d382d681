import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RefundEnded } from '../shared/contracts/events.ts'
import { historyToJSON } from './helpers/history-json.ts'
import { startOrchestrator } from './helpers/orchestrator.ts'
import { refundPaths } from './helpers/refund-paths.ts'
import { sagaPaths } from './helpers/saga-paths.ts'

/*
 * Records what a purchase, or a refund, on each path leaves in Temporal, for workflows/replay.test.ts. Needs the engines of a stack
 * (npm run up); the orchestrator is the real one, in a namespace of its own, and the participants do as the path says.
 * Histories of a release stay: its purchases must be able to go on under new code.
 *
 * Arguments: the version, then the paths to record; without paths, all of them.
 */

const checkout = join(import.meta.dirname, '../')
const folder = join(checkout, 'workflows', 'histories')
const [release = 'unreleased', ...wanted] = process.argv.slice(2)
const deadlineMs = 120_000

const all = [...Object.keys(sagaPaths), ...Object.keys(refundPaths)]
const unknown = wanted.filter((path) => !all.includes(path))
if (unknown.length > 0) throw new Error(`there is no path ${unknown.join(', ')}`)

const shop = await startOrchestrator({ stepTimeoutMs: 3_000, stepAttempts: 3, replyWaitMs: 1_000 })

async function record(path: string): Promise<void> {
  const id = (await (sagaPaths[path] ?? refundPaths[path])?.(shop)) ?? ''
  const handle = sagaPaths[path] ? shop.handleOf(id) : shop.refundHandleOf(id)
  const { status } = sagaPaths[path]
    ? await shop.endOf(id, deadlineMs)
    : ((await handle.result()) as RefundEnded)
  await handle.result()
  const history = historyToJSON(await handle.fetchHistory())
    // The recording must not name the machine.
    .replace(/"\d+@[^"]*"/g, '"worker"')
    .replaceAll(checkout, '')
  await writeFile(join(folder, `${path}.${release}.json`), `${history}\n`)
  console.log(`${path}: ${status}`)
}

try {
  await Promise.all((wanted.length > 0 ? wanted : all).map(record))
} finally {
  await shop.close()
}
