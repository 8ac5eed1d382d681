import type { Addresses } from '../scripts/stack/addresses.ts'
import { commandId } from '../shared/contracts/ids.ts'
import { commandNames, commandSteps } from '../shared/contracts/steps.ts'
import type { Wrong } from './checks.ts'
import type { Report } from './findings.ts'
import { inParallel } from './in-parallel.ts'
import type { Progress } from './progress.ts'
import { connectRecords } from './records.ts'
import {
  type Action,
  createPlan,
  type Differing,
  type Item,
  type Plan,
  sortOut,
  type Undecided,
} from './repair-plan.ts'
import { connectRepairRecords, type RepairRecords } from './repair-records.ts'
import { connectRepairs, type Outcome } from './repair-run.ts'
import { problemsOf, purchaseChecks } from './rules.ts'
import { connectSagas, type Sagas } from './sagas.ts'

/** Purchases that are repaired at once: most of the time of one is the wait for answers. */
const repairsAtOnce = 8

const commandIdsOf = (id: string) =>
  commandNames.map((name) => commandId(id, commandSteps[name].step))

/** Adds what Temporal, the inboxes and the products say of purchases that differ. */
async function lookInto(
  wrong: Wrong[],
  sagas: Sagas,
  records: RepairRecords,
): Promise<Differing[]> {
  const ids = wrong.map(({ one }) => one.id)
  const read = await sagas.read(ids, 0)
  const answers = await records.answersTo(ids.flatMap(commandIdsOf))
  const toReserve = wrong.filter(({ one }) => one.holds.length === 0)
  const bought = toReserve.flatMap(({ one }) => one.purchase?.lines ?? [])
  const lostProducts = await records.lostProducts(bought.map(({ product_id }) => product_id))
  return wrong.map(({ one, problems }) => {
    const known = commandIdsOf(one.id).filter((id) => {
      const answer = answers.get(id)
      return answer && (answer.undone || answer.outcome !== null)
    })
    const saga = read.get(one.id) ?? { state: 'missing' as const }
    return { one, problems, saga, settled: new Set(known), lostProducts }
  })
}

/** Makes a plan while purchases that differ are found. It keeps what is to be done, not what was read. */
export async function connectPlanner({
  temporal,
  databases,
}: Pick<Addresses, 'temporal' | 'databases'>) {
  await using starting = new AsyncDisposableStack()
  const sagas = starting.adopt(await connectSagas(temporal), (it) => it.close())
  const records = starting.adopt(connectRepairRecords(databases), (it) => it.close())
  const open = starting.move()
  const plan = createPlan()

  return {
    /** Takes what `reconcile` calls out. */
    async onWrong(wrong: Wrong[]): Promise<void> {
      if (plan.isFull()) plan.skip(wrong.length)
      else plan.add(sortOut(await lookInto(wrong, sagas, records)))
    },

    /** The plan. What the report says of no purchase that was called out is left for a person, too. */
    planFor: (report: Report): Plan => plan.end(othersOf(report)),

    close: () => open.disposeAsync(),
  }
}

/** What checks have found that do not call purchases out, such as those of sagas. */
function othersOf({ checks }: Report): Undecided[] {
  const others = checks.filter(({ ok, name }) => !ok && !purchaseChecks.includes(name))
  return others.flatMap(({ name, detail, purchaseIds }) =>
    purchaseIds.map((purchaseId) => {
      const line = detail.split('\n').find((each) => each.includes(purchaseId))
      return { purchaseId, differs: [line ?? name], why: `see "${name}" above` }
    }),
  )
}

/**
 * Carries out a plan, some purchases at a time. Each is read again before: one that has changed since the plan was made is
 * left as it is.
 */
export async function carryOut(
  addresses: Addresses,
  { items }: Plan,
  { live = false, progress }: { live?: boolean; progress: Progress },
): Promise<Outcome[]> {
  const { temporal, databases, provider } = addresses
  await using open = new AsyncDisposableStack()
  const sagas = open.adopt(await connectSagas(temporal), (it) => it.close())
  const look = open.adopt(connectRecords(databases, provider), (it) => it.close())
  const records = open.adopt(connectRepairRecords(databases), (it) => it.close())
  const repairs = open.adopt(await connectRepairs(addresses, records), (it) => it.close())
  await look.refreshLedger()

  async function repairOne(item: Item): Promise<Outcome> {
    const { purchaseId } = item
    const found = (await look.read([purchaseId])).map((one) => {
      return { one, problems: problemsOf(one, live) }
    })
    const now = sortOut(await lookInto(found, sagas, records))
    const isSame = JSON.stringify(now.items[0]?.actions) === JSON.stringify(item.actions)
    return isSame ? repairs.run(item) : { purchaseId, failed: 'it has changed: left as it is' }
  }

  let done = 0
  progress.start('repairs', items.length)
  const outcomes = await inParallel(items, repairsAtOnce, async (item) => {
    const outcome = await repairOne(item)
    progress.update(++done, 'repaired')
    return outcome
  })
  progress.stop()
  return outcomes
}

/** What a person confirms. */
export function printPlan(
  { id, items, undecided, further }: Plan,
  print: (text: string) => void = console.log,
): void {
  for (const { purchaseId, differs, actions } of items) {
    print(`\n${purchaseId} ${differs.join('; ')}\n  → ${actions.map(tell).join(', then ')}`)
  }
  if (undecided.length > 0) print(`\nNeeds a decision by a person: ${undecided.length}`)
  for (const { purchaseId, differs, why } of undecided) {
    print(`\n${purchaseId} ${differs.join('; ')}\n  → ${why}`)
  }
  if (further > 0) print(`\n${further} more purchases differ: see the next plan.`)
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
