import { parseArgs } from 'node:util'
import { Client } from 'pg'
import { waitFor } from '../scripts/wait-for.ts'
import { purchaseIdOf } from '../shared/ids.ts'
import { type Addresses, findAddresses } from './addresses.ts'
import { type Check, checkSagas, checkSnapshot, hasEnded, toCheck } from './checks.ts'
import { connectKafkaState, type KafkaState, type Lag } from './kafka-state.ts'
import { connectSagas, type Sagas } from './sagas.ts'
import { countUnfinished, readSnapshot } from './snapshot.ts'
import { formatTable } from './table.ts'

export type ReconcileOptions = {
  /** How long purchases may take to end and messages to be handled, before what is there is judged. */
  waitSeconds?: number
  /** The shop is at work: nothing is waited for, and what is in flight is no finding. */
  live?: boolean
  /** How many open letters are in dead-letters on purpose. */
  deadLetters?: number
}

export type Report = { ok: boolean; checks: Check[]; counts: Record<string, number> }

const defaultWaitSeconds = 60
/** A saga closes right behind the announcement that its purchase has ended. */
const sagaPatienceMs = 3_000

/**
 * Checks the invariants I1 to I3 over all databases, the provider's ledger, Temporal and Kafka. It only reads, and
 * throws when something cannot be read.
 */
export async function reconcile(
  { kafkaBrokers, temporal, databases }: Addresses,
  { waitSeconds = defaultWaitSeconds, live = false, deadLetters = 0 }: ReconcileOptions = {},
): Promise<Report> {
  await using open = new AsyncDisposableStack()
  const kafka = open.adopt(await connectKafkaState(kafkaBrokers), (k) => k.close())
  const sagas = open.adopt(await connectSagas(temporal), (s) => s.close())
  if (!live) await waitForQuiet(databases.purchase, kafka, sagas, waitSeconds)

  const snapshot = await readSnapshot(databases)
  const ended = snapshot.purchases.filter(hasEnded)
  const endedIds = ended.map(({ id }) => id)
  const notCompleted = await sagas.listNotCompleted()
  const lags = await kafka.lags()
  const dead = await kafka.countDeadLetters()
  const checks = [
    ...checkSnapshot(snapshot, { live }),
    checkSagas(snapshot.purchases, await sagas.read(endedIds, live ? 0 : sagaPatienceMs), { live }),
    checkOpenSagas(notCompleted, live),
    ...(live ? [] : [checkLags(lags)]),
    checkDeadLetters(dead, deadLetters),
  ]
  const byStatus = Map.groupBy(snapshot.purchases, ({ status }) => status)
  return {
    ok: checks.every(({ ok }) => ok),
    checks,
    counts: {
      purchases: snapshot.purchases.length,
      ...Object.fromEntries([...byStatus].map(([status, rows]) => [status, rows.length])),
      lag: lags.reduce((sum, { lag }) => sum + lag, 0),
      deadLetters: dead,
    },
  }
}

/** Prints a line per check, and under one that failed what was found. */
export function printReport({ ok, checks, counts }: Report): void {
  const rows = checks.map((check) =>
    check.ok ? ['ok', check.name, check.detail] : ['VIOLATED', check.name],
  )
  console.log(formatTable(rows))
  for (const { name, detail } of checks.filter((check) => !check.ok)) {
    console.log(`\n${name}:\n${detail}`)
  }
  const all = Object.entries(counts).map(([what, count]) => `${what} ${count}`)
  console.log(`\n${ok ? 'All invariants hold' : 'Invariants are VIOLATED'}: ${all.join(', ')}`)
}

/** Waits until no purchase is open, no saga runs and no message is left. What is not so then, the checks tell. */
async function waitForQuiet(
  purchaseUrl: string,
  kafka: KafkaState,
  sagas: Sagas,
  waitSeconds: number,
): Promise<void> {
  await using open = new AsyncDisposableStack()
  const purchases = open.adopt(new Client({ connectionString: purchaseUrl }), (db) => db.end())
  await purchases.connect()
  const quiet = async () =>
    (await countUnfinished(purchases)) === 0 &&
    (await sagas.countRunning()) === 0 &&
    (await kafka.lags()).every(({ lag }) => lag === 0)
  await waitFor('the shop to be quiet', quiet, waitSeconds * 1000).catch(() => undefined)
}

function checkOpenSagas(sagas: { workflowId: string; state: string }[], live: boolean): Check {
  const wrong = live ? sagas.filter(({ state }) => state !== 'RUNNING') : sagas
  const findings = wrong.map(({ workflowId, state }) => ({
    purchaseIds: [purchaseIdOf(workflowId)],
    what: `${workflowId} ${state}`,
  }))
  const running = sagas.length - wrong.length
  return toCheck(
    'every saga returned',
    findings,
    running > 0 ? `${running} still run` : 'none open',
  )
}

function checkLags(lags: Lag[]): Check {
  const behind = lags.filter(({ lag }) => lag > 0)
  const findings = behind.map(({ group, topic, lag }) => ({
    purchaseIds: [],
    what: `${group} has ${lag} messages of ${topic} left`,
  }))
  return toCheck('every message is handled', findings, `lag 0 in ${lags.length} subscriptions`)
}

function checkDeadLetters(found: number, expected: number): Check {
  const what = `${found} open, expected ${expected}`
  const findings = found === expected ? [] : [{ purchaseIds: [], what }]
  return toCheck('dead letters', findings, `${found} open`)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      wait: { type: 'string', default: `${defaultWaitSeconds}` },
      live: { type: 'boolean', default: false },
      'dead-letters': { type: 'string', default: '0' },
    },
  })
  const report = await reconcile(await findAddresses(), {
    waitSeconds: Number(values.wait),
    live: values.live,
    deadLetters: Number(values['dead-letters']),
  })
  printReport(report)
  if (!report.ok) process.exitCode = 1
}

if (import.meta.main) {
  try {
    await main()
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  }
}
