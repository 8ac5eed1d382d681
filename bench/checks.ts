import { setTimeout as sleep } from 'node:timers/promises'
import { type Check, createFindings, type Finding } from './findings.ts'
import type { PurchaseRecords, PurchaseRow, Records, Stock, WrongProduct } from './records.ts'
import {
  hasEnded,
  overdueCheck,
  type Problem,
  problemsOf,
  purchaseChecks,
  strayCheck,
} from './rules.ts'

export type CheckOptions = {
  /** The shop is working: a purchase that has not ended, or has just ended, is not a finding. */
  live?: boolean
  /** Report what one look at a purchase shows: what passes at once is a finding too. */
  atOnce?: boolean
  /** How many of the purchases that ended are returned: those with the highest ids. */
  maxLatest?: number
  /** Called with the number of purchases that are checked. */
  onProgress?: (purchases: number) => void
  /** Called with the purchases of a batch that differ, in the order of the batches. */
  onWrong?: (wrong: Wrong[]) => Promise<void> | void
}

/** A purchase that differs, and how. */
export type Wrong = { one: PurchaseRecords; problems: Problem[] }

/** What was counted on the way, and the purchases of the highest ids that have ended. */
export type Checked = {
  checks: Check[]
  purchases: number
  ended: number
  byStatus: Record<string, number>
  latestEnded: Ended[]
}
export type Ended = Pick<PurchaseRow, 'id' | 'status'>

/** A purchase that changes while it is read is read again, this often and with this pause. */
const maxLooks = 5
const lookAgainMs = 200

/** Compares what the databases and the ledger say of products and purchases (I1 to I3). */
export async function checkRecords(
  records: Pick<Records, 'batches' | 'read' | 'readStock'>,
  options: CheckOptions = {},
): Promise<Checked> {
  const { live = false, atOnce = false, maxLatest = 0 } = options
  const { onProgress = () => {}, onWrong = () => {} } = options
  const findings = new Map(purchaseChecks.map((name) => [name, createFindings(name)]))
  const byStatus: Record<string, number> = {}
  let latestEnded: Ended[] = []
  let [purchases, entries, refunds] = [0, 0, 0]

  for await (const batch of records.batches()) {
    const wrong = new Map<string, Problem[]>()
    const calledOut: Wrong[] = []
    for (const one of await settled(records, batch, live, atOnce, wrong)) {
      const problems = wrong.get(one.id)
      if (problems) calledOut.push({ one, problems })
      entries += one.ledger.length
      refunds += one.payment?.refunds.length ?? 0
      const { purchase } = one
      if (!purchase) continue
      purchases += 1
      byStatus[purchase.status] = (byStatus[purchase.status] ?? 0) + 1
      if (hasEnded(purchase)) latestEnded.push({ id: one.id, status: purchase.status })
    }
    if (latestEnded.length > 2 * maxLatest) latestEnded = latest(latestEnded, maxLatest)
    for (const [id, problems] of wrong) {
      for (const { check, what } of problems) findings.get(check)?.add(tell(id, what))
    }
    if (calledOut.length > 0) await onWrong(calledOut)
    onProgress(purchases)
  }

  const stock = await records.readStock()
  const ended = Object.entries(byStatus)
    .filter(([status]) => hasEnded({ status }))
    .reduce((sum, [, count]) => sum + count, 0)
  const completed = byStatus.COMPLETED ?? 0
  const summaries: Record<string, string> = {
    'every accepted purchase has ended': `${ended} of ${purchases}`,
    'completed: confirmed, captured, sold': `${completed} purchases`,
    'not completed: all undone': `${ended - completed} purchases`,
    'amounts and lines agree': `${ended} purchases`,
    'one capture at most': `${entries} ledger entries`,
    'refunds: returned, put back, shown': `${refunds} refunds`,
    [strayCheck]: 'no strays',
    [overdueCheck]: 'none',
  }
  const checks = [...findings].map(([name, found]) => found.toCheck(summaries[name] ?? ''))
  return {
    checks: [stockCheck(stock), ...checks],
    purchases,
    byStatus,
    ended,
    latestEnded: latest(latestEnded, maxLatest),
  }
}

/**
 * A batch in which no purchase changes any more: what looks wrong is read again until it looks the same twice, since a
 * purchase in flight is stored in one database after the other. Puts into `wrong` what stays.
 */
async function settled(
  records: Pick<Records, 'read'>,
  batch: PurchaseRecords[],
  live: boolean,
  atOnce: boolean,
  wrong: Map<string, Problem[]>,
): Promise<PurchaseRecords[]> {
  const found = new Map(batch.map((one) => [one.id, one]))
  let doubtful = new Map<string, Problem[]>()
  for (const one of batch) {
    const problems = problemsOf(one, live)
    // A purchase may have been stored after the batch was read, and with it what looks like a stray.
    if (problems.length > 0 && atOnce && one.purchase) wrong.set(one.id, problems)
    else if (problems.length > 0) doubtful.set(one.id, problems)
  }
  for (let look = 2; look <= maxLooks && doubtful.size > 0; look++) {
    await sleep(lookAgainMs)
    const changed = new Map<string, Problem[]>()
    const again = new Map((await records.read([...doubtful.keys()])).map((one) => [one.id, one]))
    for (const [id, before] of doubtful) {
      const one = again.get(id)
      if (!one) continue
      found.set(id, one)
      const problems = problemsOf(one, live)
      if (problems.length === 0) continue
      const same = JSON.stringify(problems) === JSON.stringify(before)
      if (same || look === maxLooks) wrong.set(id, problems)
      else changed.set(id, problems)
    }
    doubtful = changed
  }
  return [...found.values()]
}

function latest<T>(items: T[], count: number): T[] {
  return items.slice(Math.max(0, items.length - count))
}

function tell(id: string, problems: string[]): Finding {
  return { purchaseIds: [id], what: `${id} ${problems.join(', ')}` }
}

function stockCheck({ products, holds, wrong, examples }: Stock): Check {
  const findings = createFindings('stock adds up')
  for (const product of examples) findings.add(stockFinding(product))
  return findings.toCheck(`${products} products, ${holds} holds`, wrong - examples.length)
}

function stockFinding(product: WrongProduct): Finding {
  const { id, received, stock, held, sold, held_in_holds, sold_in_holds, buyers } = product
  const problems = [
    received !== stock + held + sold && `received ${received} is not stock + held + sold`,
    Math.min(received, stock, held, sold) < 0 && 'something is negative',
    held !== held_in_holds && `${held_in_holds} in HELD holds`,
    sold !== sold_in_holds && `${sold_in_holds} in SOLD holds`,
  ].filter((problem) => problem !== false)
  const counts = `stock ${stock}, held ${held}, sold ${sold}`
  const what = `product ${id} (${counts}): ${problems.join(', ')}; bought by ${buyers.join(' ') || 'nobody'}`
  return { purchaseIds: buyers, what }
}
