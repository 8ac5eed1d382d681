import assert from 'node:assert/strict'
import { problemOf, readPlans } from './plans.ts'

const plan = (plan: object, text = 'SELECT 1\n  FROM t') =>
  JSON.stringify({ 'Query Text': text, Plan: plan }, null, 2)
    .split('\n')
    .map((line) => `\t${line}`)
const entry = (database: string, ms: number) =>
  `2026-11-29 23:00:00.000 UTC [77] ${database} LOG:  duration: ${ms} ms  plan:`

async function* lines(...parts: (string | string[])[]) {
  yield* parts.flat()
}

const limit = { 'Node Type': 'Limit', 'Actual Rows': 1, 'Actual Loops': 1 }
const scan = (type: string, rows: number, dropped: number, loops = 1) => ({
  'Node Type': type,
  'Relation Name': 'orders',
  'Actual Rows': rows,
  'Rows Removed by Filter': dropped,
  'Actual Loops': loops,
})

describe('the plans of a log', () => {
  it('are read, each statement once with the worst of its runs', async () => {
    const found = await readPlans(
      lines(
        '2026-11-29 23:00:00.000 UTC [77] order_db LOG:  checkpoint starting: time',
        entry('order_db', 0.5),
        plan({ ...limit, Plans: [scan('Index Scan', 5, 0, 4)] }),
        entry('order_db', 7.25),
        plan({ ...limit, Plans: [scan('Seq Scan', 1, 900)] }, 'SELECT 1 FROM  t'),
        entry('purchase_db', 1),
        plan(limit),
        entry('postgres', 1),
        plan(limit),
      ),
    )

    assert.deepEqual(found, [
      {
        database: 'order_db',
        text: 'SELECT 1 FROM t',
        runs: 2,
        maxMs: 7.25,
        rows: 901,
        scanned: ['orders'],
      },
      { database: 'purchase_db', text: 'SELECT 1 FROM t', runs: 1, maxMs: 1, rows: 0, scanned: [] },
    ])
  })

  it('are wrong when they read all of a big table, or as good as', () => {
    const statement = { database: 'order_db', text: '', runs: 1, maxMs: 1, rows: 901, scanned: [] }
    const big = new Map([['order_db', new Set(['orders'])]])
    const problem = (changed: object, rows = 1_000_000) =>
      problemOf({ ...statement, ...changed }, big, rows)

    assert.equal(problem({}), undefined)
    assert.equal(problem({ scanned: ['late_ids'] }), undefined)
    assert.equal(problem({ scanned: ['orders'] }), 'reads all of orders')
    assert.equal(problem({ rows: 50_001 }), 'looks at 50001 rows')
    assert.equal(problem({ rows: 9_000 }, 4_000), undefined)
  })
})
