import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { boardQueries } from '../../scripts/docs/boards.ts'
import { readMetrics } from '../../scripts/docs/metrics-page.ts'
import { findPromtool } from '../../scripts/stack/prometheus-programs.ts'
import { run } from '../../scripts/stack/run-command.ts'
import { anchorsOf, checkout, readDocument } from './markdown.ts'

type Rule = {
  alert?: string
  record?: string
  expr: string
  labels?: { severity?: string }
  annotations?: { summary?: string; runbook?: string }
}

const folder = 'deploy/observability'
const files = ['objectives.yml', 'alerts.yml']

async function readRules(file: string): Promise<Rule[]> {
  const { groups } = parse(await readDocument(`${folder}/${file}`)) as {
    groups: { rules: Rule[] }[]
  }
  return groups.flatMap(({ rules }) => rules)
}

describe('the alerts', () => {
  let rules: Rule[]
  let alerts: Rule[]

  before(async () => {
    rules = (await Promise.all(files.map(readRules))).flat()
    alerts = rules.filter(({ alert }) => alert)
  })

  it('fire when their tests say so, and not in a shop that is well', async function () {
    this.timeout(300_000)
    const promtool = await findPromtool(() => undefined)

    await run(promtool, ['test', 'rules', 'alerts.test.yml'], { cwd: `${checkout}/${folder}` })
  })

  it('are of a configuration that Prometheus accepts', async function () {
    this.timeout(300_000)
    const promtool = await findPromtool(() => undefined)

    await run(promtool, ['check', 'config', 'prometheus.yml'], { cwd: `${checkout}/${folder}` })
  })

  it('have boards beside them whose queries Prometheus can parse', async function () {
    this.timeout(300_000)
    const promtool = await findPromtool(() => undefined)
    const folder = await mkdtemp(join(tmpdir(), 'saga-boards-'))
    const asRules = boardQueries().map((expr, index) => ({ record: `board:query:${index}`, expr }))
    try {
      const groups = [{ name: 'boards', rules: asRules }]
      await writeFile(join(folder, 'boards.yml'), JSON.stringify({ groups }))
      await run(promtool, ['check', 'rules', 'boards.yml'], { cwd: folder })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('are each fired by a test', async () => {
    const tests = await readDocument(`${folder}/alerts.test.yml`)
    const fired = new Set([...tests.matchAll(/alertname="(\w+)"/g)].map(([, name]) => name))

    assert.deepEqual([...fired].sort(), alerts.map(({ alert }) => alert).sort())
  })

  it('say how urgent they are, what happened, and which section of the runbook helps', async () => {
    const anchors = anchorsOf(await readDocument('docs/runbook.md'))

    for (const { alert, labels, annotations } of alerts) {
      assert.match(labels?.severity ?? '', /^(page|ticket)$/, alert)
      assert.ok(annotations?.summary, alert)
      const [page, anchor = ''] = (annotations?.runbook ?? '').split('#')
      assert.equal(page, 'docs/runbook.md', alert)
      assert.ok(anchors.includes(anchor), `${alert}: the runbook has no section ${anchor}`)
    }
  })

  it('read series that the reference of metrics, prom-client, Prometheus or a rule has, as the boards do', async () => {
    const metrics = await readMetrics()
    const known = new Set([
      ...metrics.flatMap(({ name, type }) =>
        type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
      ...rules.map(({ record }) => record),
      // The default metrics of prom-client, and of Prometheus.
      'nodejs_eventloop_lag_p99_seconds',
      'process_cpu_seconds_total',
      'process_start_time_seconds',
      'up',
    ])

    for (const expr of [...rules.map(({ expr }) => expr), ...boardQueries()]) {
      const series = seriesIn(expr)
      assert.ok(series.length > 0, expr)
      for (const name of series) assert.ok(known.has(name), `${name} in ${expr}`)
    }
  })

  it('select and group by labels that the series have, as the boards do', async () => {
    const labels = new Map(
      (await readMetrics()).map(({ name, labels }) => [name, ['service', 'le', ...labels]]),
    )
    /** Undefined for a series that is not our own. */
    const labelsOf = (series: string) =>
      labels.get(series) ?? labels.get(series.replace(/_(bucket|sum|count)$/, ''))
    let selections = 0

    for (const expr of [...rules.map(({ expr }) => expr), ...boardQueries()]) {
      for (const [, series = '', selector = ''] of expr.matchAll(/(\w+)\{([^}]*)\}/g)) {
        for (const [, label = ''] of selector.matchAll(/(\w+)(?:=|!)/g)) {
          assert.ok(labelsOf(series)?.includes(label), `${series} has no ${label}: ${expr}`)
          selections += 1
        }
      }
      const all = ['instance', 'job', ...seriesIn(expr).flatMap((series) => labelsOf(series) ?? [])]
      for (const [, list = ''] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
        for (const label of list.split(', ')) {
          assert.ok(all.includes(label) || label === 'service', `nothing has ${label}: ${expr}`)
        }
      }
    }
    assert.ok(selections > 30, `${selections}`)
  })
})

/** The names of series in an expression: what is neither a function, a keyword nor a label. */
function seriesIn(expr: string): string[] {
  const bare = expr
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '{}')
    .replace(/\[\w+\]/g, '')
    .replace(/\b(by|on|ignoring|without)\s*\([^)]*\)/g, '')
    .replace(/\boffset \w+/g, '')
  return [...bare.matchAll(/(?<![\w:])[a-z][\w:]*(?![\w:]*\s*\()/g)]
    .map(([name]) => name)
    .filter((name) => !['and', 'or', 'unless', 'sum', 'max'].includes(name))
}
