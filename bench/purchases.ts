import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Client } from 'pg'
import { PaymentMethod } from '../shared/contracts/payment.ts'
import { findAddresses } from './addresses.ts'
import { hasEnded } from './checks.ts'
import { openShop, type Post, postPurchases } from './load.ts'
import { printReport, reconcile } from './reconcile.ts'
import { countBy, summarize } from './stats.ts'
import { formatTable } from './table.ts'

/*
 * Buys as fast as the shop answers, waits until every purchase has ended, says how long that took, and reconciles.
 * Exits 1 when an invariant does not hold.
 */

type Row = { id: string; status: string; updated_at: Date }

const pollMs = 200
/** How long purchases may take to end after the last one was posted. */
const endDeadlineMs = 300_000
/** How often progress is printed where a line cannot be written over. */
const printMs = 2_000

function readOptions() {
  const { values } = parseArgs({
    options: {
      purchases: { type: 'string', default: '200' },
      'in-flight': { type: 'string', default: '32' },
      products: { type: 'string', default: '20' },
      // Taken in turn: sim_ok,sim_ok,sim_declined declines every third payment.
      methods: { type: 'string', default: 'sim_ok' },
    },
  })
  const count = (name: 'purchases' | 'in-flight' | 'products') => {
    const value = Number(values[name])
    if (Number.isInteger(value) && value > 0) return value
    throw new Error(`--${name} must be a positive number`)
  }
  return {
    purchases: count('purchases'),
    inFlight: count('in-flight'),
    products: count('products'),
    methods: PaymentMethod.array().parse(values.methods.split(',')),
  }
}

async function main(): Promise<boolean> {
  const options = readOptions()
  const addresses = await findAddresses()
  await using open = new AsyncDisposableStack()
  const connectionString = addresses.databases.purchase
  const database = open.adopt(new Client({ connectionString }), (db) => db.end())
  await database.connect()

  const shop = await openShop(addresses.api, options.products)
  let posted = 0
  const posting = postPurchases(shop, options, () => {
    posted += 1
  })
  const print = createProgressPrinter()
  await waitForEnds(database, shop.customerId, posting, (ended) =>
    print(`${posted} of ${options.purchases} posted, ${ended} ended`),
  )
  const posts = await posting
  const rows = await readRows(database, shop.customerId)
  printFigures(posts, rows)

  const lost = lostPurchases(posts, rows)
  if (lost.length > 0) console.log(`ACCEPTED AND LOST: ${lost.join(' ')}\n`)
  const report = await reconcile(addresses)
  printReport(report)
  return report.ok && lost.length === 0
}

/** Returns when all that was posted has ended, or has had its time. */
async function waitForEnds(
  database: Client,
  customerId: string,
  posting: Promise<Post[]>,
  onProgress: (ended: number) => void,
): Promise<void> {
  let deadline: number | undefined
  void posting.then(() => {
    deadline = Date.now() + endDeadlineMs
  })
  for (;;) {
    // Looked at before the rows are counted: after that no purchase is added.
    const allPosted = deadline !== undefined
    const { all, unfinished } = await countRows(database, customerId)
    onProgress(all - unfinished)
    if (allPosted && unfinished === 0) return
    if (deadline !== undefined && Date.now() > deadline) return
    await sleep(pollMs)
  }
}

async function countRows(database: Client, customerId: string) {
  const { rows } = await database.query<{ all: number; unfinished: number }>(
    `SELECT count(*)::int AS all,
       count(*) FILTER (WHERE status IN ('ACCEPTED', 'PROCESSING'))::int AS unfinished
     FROM purchases WHERE customer_id = $1`,
    [customerId],
  )
  return rows[0] ?? { all: 0, unfinished: 0 }
}

async function readRows(database: Client, customerId: string): Promise<Map<string, Row>> {
  const { rows } = await database.query<Row>(
    'SELECT id, status, updated_at FROM purchases WHERE customer_id = $1',
    [customerId],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/** Purchases that were answered 202 and that nobody knows. */
function lostPurchases(posts: Post[], rows: Map<string, Row>): string[] {
  const ids = posts.flatMap(({ purchaseId }) => purchaseId ?? [])
  return ids.filter((id) => !rows.has(id))
}

function printFigures(posts: Post[], rows: Map<string, Row>): void {
  const firstSentAt = Math.min(...posts.map(({ sentAt }) => sentAt))
  const lastAnswerAt = Math.max(...posts.map(({ sentAt, ms }) => sentAt + ms))
  // A row's last change is its end, or for a few the note right behind it that the event was published.
  const ends = posts.flatMap(({ sentAt, purchaseId }) => {
    const row = rows.get(purchaseId ?? '')
    return row && hasEnded(row) ? [{ sentAt, endedAt: row.updated_at.getTime() }] : []
  })
  const lastEndAt = Math.max(...ends.map(({ endedAt }) => endedAt))
  const perSecond = (count: number, ms: number) => ((count / ms) * 1000).toFixed(1)
  const times = (what: string, values: number[]) => {
    const { p50, p95, p99, max } = summarize(values)
    return [what, ...[p50, p95, p99, max].map(Math.round)]
  }
  const list = (counts: [string, number][]) =>
    counts.map(([name, count]) => `${name} ${count}`).join(', ')

  console.log(`
${formatTable([
  ['ms', 'p50', 'p95', 'p99', 'max'],
  times(
    'POST',
    posts.map(({ ms }) => ms),
  ),
  times(
    'to the end',
    ends.map(({ sentAt, endedAt }) => endedAt - sentAt),
  ),
])}

answers   ${list(countBy(posts, ({ status }) => status))}
outcomes  ${list(countBy([...rows.values()], ({ status }) => status))}
accepted  ${perSecond(rows.size, lastAnswerAt - firstSentAt)} a second
ended     ${perSecond(ends.length, lastEndAt - firstSentAt)} a second
`)
}

/** Writes over the last line on a terminal; elsewhere prints a line now and then. */
function createProgressPrinter() {
  let printedAt = 0
  return (line: string) => {
    if (process.stdout.isTTY) {
      process.stdout.write(`\r${line}`)
    } else if (Date.now() - printedAt > printMs) {
      console.log(line)
      printedAt = Date.now()
    }
  }
}

try {
  if (!(await main())) process.exitCode = 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
