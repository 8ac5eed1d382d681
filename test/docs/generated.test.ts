import assert from 'node:assert/strict'
import { glob } from 'node:fs/promises'
import { renderArchitecture } from '../../scripts/docs/architecture.ts'
import { boardQueries, renderBoards, renderBoardsPage } from '../../scripts/docs/boards.ts'
import { readFlows } from '../../scripts/docs/flows.ts'
import { readMetrics, renderMetricsPage } from '../../scripts/docs/metrics-page.ts'
import { serviceNames } from '../../scripts/stack/services.ts'
import { topics } from '../../shared/contracts/topics.ts'
import { checkout, readDocument } from './markdown.ts'

describe('docs/architecture.svg', () => {
  it('is what `npm run docs -- --drawn` makes of the sources', async () => {
    assert.equal(await readDocument('docs/architecture.svg'), await renderArchitecture())
  })

  it('shows every service and every topic', async () => {
    const picture = await readDocument('docs/architecture.svg')

    for (const name of [...serviceNames, ...topics]) assert.ok(picture.includes(name), name)
  })

  it('finds who publishes and who consumes each topic in the sources', async () => {
    const flows = Object.values(await readFlows())
    const published = new Set(flows.flatMap(({ publishes }) => publishes))
    const consumed = new Set(flows.flatMap(({ consumes }) => consumes))

    // Consumers publish dead letters from shared/kafka, and a person reads them.
    const expected = new Set(topics.filter((topic) => topic !== 'dead-letters'))
    assert.deepEqual(published, expected)
    assert.deepEqual(consumed, expected)
  })
})

describe('the boards of Grafana', () => {
  it('are what `npm run docs -- --drawn` makes of the sources', async () => {
    const folder = 'deploy/observability/grafana/boards'
    const found = await Array.fromAsync(glob('*.json', { cwd: `${checkout}/${folder}` }))
    const rendered = renderBoards()

    assert.deepEqual(found.sort(), Object.keys(rendered).sort())
    for (const [file, content] of Object.entries(rendered)) {
      assert.equal(await readDocument(`${folder}/${file}`), content, file)
    }
  })
})

describe('docs/boards.md', () => {
  it('is what `npm run docs -- --drawn` makes of the sources', async () => {
    assert.equal(await readDocument('docs/boards.md'), renderBoardsPage())
  })

  it('leads to a graph in Prometheus for each query of the boards', async () => {
    const page = await readDocument('docs/boards.md')
    const links = [...page.matchAll(/\]\((http[^)]*)\)/g)].map(([, link = '']) => new URL(link))
    const shown = links.flatMap(({ searchParams }) =>
      [...searchParams].filter(([name]) => name.endsWith('.expr')).map(([, expr]) => expr),
    )

    assert.deepEqual(shown, boardQueries())
  })
})

describe('docs/metrics.md', () => {
  it('is what `npm run docs -- --drawn` makes of the sources', async () => {
    assert.equal(await readDocument('docs/metrics.md'), await renderMetricsPage())
  })

  it('has every metric that the sources declare', async () => {
    const declarations = await Array.fromAsync(
      glob('{services,shared}/**/*.ts', { cwd: checkout, exclude: ['**/*.test.ts'] }),
    )
    const texts = await Promise.all(declarations.map(readDocument))
    const count = texts
      .join('\n')
      .matchAll(/new (Counter|Gauge|Histogram)\(\{\s*name: |\bcounter\((registry, )?'/g)
    const found = await readMetrics()

    const named = found.flatMap(({ from }) => from.split(', '))
    assert.equal(named.length, [...count].length)
  })

  it('has names by the habits of OpenMetrics: a unit of time in seconds, and `_total` of counters alone', async () => {
    for (const { name, type, labels } of await readMetrics()) {
      assert.match(name, /^[a-z]+(_[a-z]+)+$/)
      assert.equal(name.endsWith('_total'), type === 'counter', name)
      if (type === 'histogram') assert.match(name, /_seconds$/)
      assert.ok(!/_(ms|millis|milliseconds|minutes|bucket|sum|count)(_|$)/.test(name), name)
      for (const label of labels) assert.match(label, /^(?!le$|service$)[a-z_]+$/, name)
    }
  })
})
