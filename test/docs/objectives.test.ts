import assert from 'node:assert/strict'
import { parse } from 'yaml'
import { boards } from '../../scripts/docs/board-list.ts'
import { readDocument } from './markdown.ts'

type Rule = { alert?: string; record?: string; expr: string; labels?: { severity: string } }

/** The rows of docs/observability.md: the share that must be met, and the time that it is about. */
const rows: [record: string, row: RegExp, le: (limit: number) => RegExp][] = [
  [
    'accept_slow',
    /\| ([\d.]+) % of the accepted purchases are accepted within (\d+) ms \|/,
    (limit) => new RegExp(`le="${limit / 1_000}"`),
  ],
  [
    'accept_failed',
    /\| ([\d.]+) % of `POST \/purchases` are not answered (5)xx \|/,
    () => /"5\.\."/,
  ],
  [
    'end_slow',
    /\| ([\d.]+) % of the purchases end within (\d+) s,/,
    (limit) => new RegExp(`le=~"${limit}\\|${limit}\\.0"`),
  ],
]
const windows = ['5m', '30m', '1h', '6h']
/** How many times faster than allowed a budget may burn, in which windows, and what an alert on it is. */
const speeds = [
  { name: 'Fast', times: 14.4, long: '1h', short: '5m', severity: 'page' },
  { name: 'Slow', times: 6, long: '6h', short: '30m', severity: 'ticket' },
]

describe('the objectives of docs/observability.md', () => {
  let text: string
  let rules: Rule[]

  before(async () => {
    text = await readDocument('docs/observability.md')
    const files = ['objectives.yml', 'alerts.yml']
    const all = await Promise.all(
      files.map(async (file) => parse(await readDocument(`deploy/observability/${file}`))),
    )
    rules = all.flatMap(({ groups }) => groups.flatMap((group: { rules: Rule[] }) => group.rules))
  })

  const only = (what: string, is: (rule: Rule) => boolean): Rule => {
    const [rule, ...more] = rules.filter(is)
    assert.ok(rule && more.length === 0, what)
    return rule
  }

  for (const [name, row, le] of rows) {
    it(`are the limits by which ${name} is recorded, and the budgets that its alerts watch`, () => {
      const [, share = '', limit = ''] = row.exec(text) ?? []
      const budget = 1 - Number(share) / 100
      assert.ok(budget > 0 && budget < 0.1, share)
      for (const window of windows) {
        const series = `shop:${name}:ratio_${window}`
        const { expr } = only(series, ({ record }) => record === series)
        assert.match(expr, le(Number(limit)))
        assert.equal(expr.split(`[${window}]`).length, 3, `${series} reads another window`)
      }
      for (const { name: speed, times, long, short, severity } of speeds) {
        assert.ok(text.includes(`\`…${speed}\` at ${times} times`))
        const { expr, labels } = only(`${name} ${speed}`, (rule) => {
          return rule.alert?.endsWith(speed) === true && rule.expr.includes(`shop:${name}:`)
        })
        const both = /^(\S+) > ([\d.]+) and (\S+) > ([\d.]+)$/.exec(expr)?.slice(1) ?? []
        assert.deepEqual(
          [both[0], both[2]],
          [long, short].map((at) => `shop:${name}:ratio_${at}`),
        )
        for (const above of [both[1], both[3]]) {
          assert.ok(Math.abs(Number(above) - times * budget) < 1e-9, expr)
        }
        assert.equal(labels?.severity, severity)
      }
    })
  }

  it('are the age from which on a saga is stuck, and no contradiction at all', () => {
    const [, minutes = ''] = /\| no saga is older than (\d+) minutes \|/.exec(text) ?? []
    const stuck = only('PurchaseStuck', ({ alert }) => alert === 'PurchaseStuck')
    assert.equal(stuck.expr, `max(purchase_oldest_started_seconds) > ${Number(minutes) * 60}`)
    assert.match(text, /\| no purchase, stock or money is lost \|/)
    const lost = only('OutcomeContradicted', ({ alert }) => alert === 'OutcomeContradicted')
    assert.match(lost.expr, /^increase\(settlement_alarms_total\[\w+\]\) > 0$/)
  })

  it('are the red lines of the boards', () => {
    const limitOf = (start: string) =>
      boards.flatMap(({ panels }) => panels).find(({ title }) => title.startsWith(start))?.limit

    assert.equal(limitOf('Accepting a purchase, p99'), 0.5)
    assert.equal(limitOf('From accepting to the end, p99'), 10)
    assert.equal(limitOf('Age of the oldest saga'), 300)
  })
})
