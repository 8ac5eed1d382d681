import type { Addresses } from '../scripts/stack/addresses.ts'
import { commandId } from '../shared/contracts/ids.ts'
import { commandNames, commandSteps } from '../shared/contracts/steps.ts'
import type { Report } from './findings.ts'
import { connectRecords, type PurchaseRecords } from './records.ts'
import { type Action, type Differing, type Plan, planOf } from './repair-plan.ts'
import { connectRepairRecords, type RepairRecords } from './repair-records.ts'
import { connectRepairs, type Outcome } from './repair-run.ts'
import { type Problem, problemsOf } from './rules.ts'
import { connectSagas, type Sagas } from './sagas.ts'

/** What one plan holds at most: those beyond it are in the next. */
const maxPlanned = 1_000

/** Purchases that differ, as `reconcile` calls them out. */
export function collectDiffering() {
  const found: { one: PurchaseRecords; problems: Problem[] }[] = []
  return {
    found,
    onWrong(one: PurchaseRecords, problems: Problem[]): void {
      if (found.length < maxPlanned) found.push({ one, problems })
    },
  }
}

type Found = ReturnType<typeof collectDiffering>['found']

const commandIdsOf = (id: string) =>
  commandNames.map((name) => commandId(id, commandSteps[name].step))

/** Adds what Temporal and the inboxes say of purchases that differ. */
async function lookInto(found: Found, sagas: Sagas, records: RepairRecords): Promise<Differing[]> {
  const ids = found.map(({ one }) => one.id)
  const read = await sagas.read(ids, 0)
  const answers = await records.answersTo(ids.flatMap(commandIdsOf))
  return found.map(({ one, problems }) => {
    const known = commandIdsOf(one.id).filter((id) => {
      const answer = answers.get(id)
      return answer && (answer.undone || answer.outcome !== null)
    })
    const saga = read.get(one.id) ?? { state: 'missing' as const }
    return { one, problems, saga, settled: new Set(known) }
  })
}

/** The plan for what a report has found. What it says of no purchase that was called out is left for a person, too. */
export async function makePlan(
  { temporal, databases }: Addresses,
  report: Report,
  found: Found,
): Promise<Plan> {
  await using open = new AsyncDisposableStack()
  const sagas = open.adopt(await connectSagas(temporal), (it) => it.close())
  const records = open.adopt(await connectRepairRecords(databases), (it) => it.close())
  const plan = planOf(await lookInto(found, sagas, records))
  const named = new Set([...plan.items, ...plan.undecided].map(({ purchaseId }) => purchaseId))
  for (const { ok, name, detail, purchaseIds } of report.checks) {
    if (ok) continue
    for (const purchaseId of purchaseIds.filter((id) => !named.has(id))) {
      const line = detail.split('\n').find((each) => each.includes(purchaseId))
      plan.undecided.push({ purchaseId, differs: [line ?? name], why: `see "${name}" above` })
      named.add(purchaseId)
    }
  }
  return plan
}

/**
 * Carries out a plan, one purchase after the other. Each is read again before: one that has changed since the plan was
 * made is left as it is.
 */
export async function carryOut(
  addresses: Addresses,
  { items }: Plan,
  { live = false }: { live?: boolean } = {},
): Promise<Outcome[]> {
  const { temporal, databases, provider } = addresses
  await using open = new AsyncDisposableStack()
  const sagas = open.adopt(await connectSagas(temporal), (it) => it.close())
  const look = open.adopt(connectRecords(databases, provider), (it) => it.close())
  const records = open.adopt(await connectRepairRecords(databases), (it) => it.close())
  const repairs = open.adopt(await connectRepairs(addresses, records), (it) => it.close())
  await look.refreshLedger()
  const outcomes: Outcome[] = []
  for (const item of items) {
    const { purchaseId } = item
    const found = (await look.read([purchaseId])).map((one) => {
      return { one, problems: problemsOf(one, live) }
    })
    const now = planOf(await lookInto(found, sagas, records))
    const isSame = JSON.stringify(now.items[0]?.actions) === JSON.stringify(item.actions)
    outcomes.push(
      isSame ? await repairs.run(item) : { purchaseId, failed: 'it has changed: left as it is' },
    )
  }
  return outcomes
}

/** What a person confirms. */
export function printPlan(
  { id, items, undecided }: Plan,
  print: (text: string) => void = console.log,
): void {
  for (const { purchaseId, differs, actions } of items) {
    print(`\n${purchaseId} ${differs.join('; ')}\n  → ${actions.map(tell).join(', then ')}`)
  }
  if (undecided.length > 0) print(`\nNeeds a decision by a person: ${undecided.length}`)
  for (const { purchaseId, differs, why } of undecided) {
    print(`\n${purchaseId} ${differs.join('; ')}\n  → ${why}`)
  }
  print(
    items.length > 0
      ? `\nPlan ${id} repairs ${items.length} purchases. Nothing was changed yet.`
      : '\nThere is nothing to repair.',
  )
}

function tell(action: Action): string {
  switch (action.act) {
    case 'command': {
      const { step, participant } = commandSteps[action.name]
      return `${step} again at ${participant}${action.reference ? ` as ${action.reference}` : ''}`
    }
    case 'refund':
      return `refund ${action.reference} at the provider`
    case 'ask':
      return 'announce the end again'
  }
}
