import { parseArgs } from 'node:util'
import { type Addresses, findAddresses } from '../scripts/stack/addresses.ts'
import { formatTable } from '../scripts/stack/table.ts'
import { purchaseIdOf } from '../shared/contracts/ids.ts'
import type { GroupLag } from '../shared/kafka/admin.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import { type CheckOptions, checkRecords } from './checks.ts'
import { type Check, createFindings, type Report, toCheck } from './findings.ts'
import { connectKafkaState, type KafkaState } from './kafka-state.ts'
import { createProgress, type Progress } from './progress.ts'
import { connectRecords, type Records } from './records.ts'
import { carryOut, connectPlanner, printPlan } from './repair.ts'
import type { Plan } from './repair-plan.ts'
import type { Outcome } from './repair-run.ts'
import { checkSagas, checkStraySagas } from './saga-checks.ts'
import { connectSagas, isRefund, type Sagas } from './sagas.ts'

export type { Report } from './findings.ts'

export type ReconcileOptions = {
  /** How long to wait for purchases to end and messages to be handled, before the checks. */
  waitSeconds?: number
  /** The shop is working: do not wait, and do not report purchases in flight. */
  live?: boolean
  /** How many open dead letters are expected. */
  deadLetters?: number
  /** How many of the sagas that ended are looked at: those of the latest purchases. */
  sagas?: number
  progress?: Progress
  onWrong?: CheckOptions['onWrong']
}

const defaultWaitSeconds = 60
const defaultSagas = 10_000
/** The sagas that are read between two reports of progress. */
const sagaBatch = 500
/** A saga closes right after the announcement that its purchase has ended. */
const sagaPatienceMs = 3_000
/** What has been handled may be the cause of a last message, such as an e-mail, which is sent within seconds. */
const lastMessagesMs = 30_000

/**
 * Checks the invariants I1 to I3 over all databases, the provider's ledger, Temporal and Kafka. It only reads, and
 * throws when something cannot be read.
 */
export async function reconcile(
  { kafkaBrokers, temporal, databases, provider }: Addresses,
  options: ReconcileOptions = {},
): Promise<Report> {
  const { waitSeconds = defaultWaitSeconds, live = false, deadLetters = 0 } = options
  const { sagas: maxSagas = defaultSagas, progress = createProgress({ quiet: true }) } = options
  await using open = new AsyncDisposableStack()
  const kafka = open.adopt(await connectKafkaState(kafkaBrokers), (k) => k.close())
  const sagas = open.adopt(await connectSagas(temporal), (s) => s.close())
  const records = open.adopt(connectRecords(databases, provider), (r) => r.close())
  if (!live) await waitForQuiet(records, kafka, sagas, waitSeconds)

  progress.start('purchases', await records.countPurchases())
  const onProgress = (purchases: number) => progress.update(purchases, 'compared')
  const checked = await checkRecords(records, {
    ...{ live, maxLatest: maxSagas, onProgress },
    ...(options.onWrong && { onWrong: options.onWrong }),
  })
  progress.stop()
  progress.start('sagas', checked.latestEnded.length)
  const sagaCheck = await checkSagas(checked.latestEnded, {
    of: 'purchase',
    live,
    earlier: checked.ended - checked.latestEnded.length,
    batch: sagaBatch,
    read: (ids) => sagas.read(ids, live ? 0 : sagaPatienceMs),
    onProgress: (read) => progress.update(read, 'compared'),
  })
  progress.stop()
  const openSagas = await checkOpenSagas(sagas, live)
  const straySagas = await checkStraySagas(
    'purchase',
    sagas.purchaseIds(maxSagas),
    records.statusesOf,
  )
  const refundChecks = await checkRefundSagas(records, sagas, { live, maxSagas })
  const lags = live ? await kafka.lags() : await lastLags(kafka)
  const dead = await kafka.countDeadLetters()
  const checks = [
    ...checked.checks,
    sagaCheck,
    openSagas,
    straySagas,
    ...refundChecks,
    ...(live ? [] : [checkLags(lags)]),
    checkDeadLetters(dead, deadLetters),
  ]
  return {
    ok: checks.every(({ ok }) => ok),
    checks,
    counts: {
      purchases: checked.purchases,
      ...checked.byStatus,
      lag: lags.reduce((sum, { lag }) => sum + lag, 0),
      deadLetters: dead,
    },
  }
}

/** Prints a line per check, and the findings of a failed one. */
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

/** The plan that was confirmed is not the one that would be carried out now. */
export class PlanChangedError extends Error {
  override name = 'PlanChangedError'
}

/**
 * Reconciles, and makes a plan of what can be repaired. Changes nothing unless `confirm` is the id of just that plan:
 * then it is carried out, and reconciled again. Throws PlanChangedError.
 */
export async function repair(
  addresses: Addresses,
  { confirm, ...options }: ReconcileOptions & { confirm?: string | undefined } = {},
): Promise<{ report: Report; plan: Plan; outcomes?: Outcome[]; after?: Report }> {
  const { progress = createProgress({ quiet: true }) } = options
  await using open = new AsyncDisposableStack()
  const planner = open.adopt(await connectPlanner(addresses), (it) => it.close())
  const report = await reconcile(addresses, { ...options, onWrong: planner.onWrong })
  const plan = planner.planFor(report)
  if (confirm === undefined) return { report, plan }
  if (confirm !== plan.id || plan.items.length === 0) {
    const now = plan.items.length > 0 ? `the plan is ${plan.id} now` : 'there is nothing to repair'
    throw new PlanChangedError(`${now}: ${confirm} was not carried out`)
  }
  const outcomes = await carryOut(addresses, plan, { ...options, progress })
  return { report, plan, outcomes, after: await reconcile(addresses, options) }
}

/**
 * Waits until no purchase or refund is open, no saga runs and no message is left. After the deadline, the checks
 * report what remains.
 */
async function waitForQuiet(
  records: Pick<Records, 'countUnfinished' | 'countOpenRefunds'>,
  kafka: KafkaState,
  sagas: Sagas,
  waitSeconds: number,
): Promise<void> {
  const quiet = async () =>
    (await records.countUnfinished()) === 0 &&
    (await records.countOpenRefunds()) === 0 &&
    (await sagas.countRunning()) === 0 &&
    (await kafka.lags()).every(({ lag }) => lag === 0)
  await waitFor('the shop to be quiet', quiet, waitSeconds * 1000).catch(() => undefined)
}

/** What is left of messages when there was time to handle the last ones. */
async function lastLags(kafka: KafkaState): Promise<GroupLag[]> {
  let lags: GroupLag[] | undefined
  const allHandled = async () => {
    lags = await kafka.lags()
    return lags.every(({ lag }) => lag === 0)
  }
  await waitFor('the last messages', allHandled, lastMessagesMs).catch(() => undefined)
  return lags ?? kafka.lags()
}

async function checkRefundSagas(
  records: Pick<Records, 'endedRefunds' | 'refundStatusesOf'>,
  sagas: Pick<Sagas, 'readRefunds' | 'refundIds'>,
  { live, maxSagas }: { live: boolean; maxSagas: number },
): Promise<Check[]> {
  const { ended, latest } = await records.endedRefunds(maxSagas)
  const returned = await checkSagas(latest, {
    of: 'refund',
    live,
    earlier: ended - latest.length,
    batch: sagaBatch,
    read: (ids) => sagas.readRefunds(ids, live ? 0 : sagaPatienceMs),
  })
  const { refundStatusesOf } = records
  return [returned, await checkStraySagas('refund', sagas.refundIds(maxSagas), refundStatusesOf)]
}

async function checkOpenSagas(sagas: Pick<Sagas, 'notCompleted'>, live: boolean): Promise<Check> {
  const findings = createFindings('every saga returned')
  let running = 0
  for await (const page of sagas.notCompleted()) {
    for (const { workflowId, state } of page) {
      if (live && state === 'RUNNING') running += 1
      else {
        const purchaseIds = isRefund(workflowId) ? [] : [purchaseIdOf(workflowId)]
        findings.add({ purchaseIds, what: `${workflowId} ${state}` })
      }
    }
  }
  return findings.toCheck(running > 0 ? `${running} still run` : 'none open')
}

function checkLags(lags: GroupLag[]): Check {
  const lagging = lags.filter(({ lag }) => lag > 0)
  const findings = lagging.map(({ group, topic, lag }) => ({
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
      sagas: { type: 'string', default: `${defaultSagas}` },
      repair: { type: 'boolean', default: false },
      // The id of the plan that `--repair` has printed.
      confirm: { type: 'string' },
    },
  })
  const options = {
    waitSeconds: Number(values.wait),
    live: values.live,
    deadLetters: Number(values['dead-letters']),
    sagas: Number(values.sagas),
    progress: createProgress(),
  }
  const addresses = await findAddresses()
  const ok = values.repair
    ? await runRepair(addresses, { ...options, confirm: values.confirm })
    : await runReconcile(addresses, options)
  if (!ok) process.exitCode = 1
}

async function runReconcile(addresses: Addresses, options: ReconcileOptions): Promise<boolean> {
  const report = await reconcile(addresses, options)
  printReport(report)
  return report.ok
}

async function runRepair(
  addresses: Addresses,
  options: ReconcileOptions & { confirm: string | undefined },
): Promise<boolean> {
  const { report, plan, outcomes, after } = await repair(addresses, options)
  if (!outcomes || !after) {
    printReport(report)
    printPlan(plan)
    if (plan.items.length > 0) {
      console.log(`To carry it out: npm run reconcile -- --repair --confirm ${plan.id}`)
    }
    return report.ok
  }
  const failed = outcomes.filter(({ failed }) => failed !== undefined)
  for (const { purchaseId, failed: why } of failed) console.log(`${purchaseId} ${why}`)
  console.log(`${outcomes.length - failed.length} of ${outcomes.length} purchases repaired\n`)
  printReport(after)
  return after.ok
}

if (import.meta.main) {
  try {
    await main()
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  }
}
