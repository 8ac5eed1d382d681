import assert from 'node:assert/strict'
import { rowsOf } from '../test/docs/markdown.ts'
import { exampleResults, exampleRun } from '../test/helpers/bench-run.ts'
import { renderChart } from './chart.ts'
import { renderResults } from './results.ts'

describe('RESULTS.md', () => {
  const columns = ['figure', 'must', 'aim', 'median', 'spread', ''] as const

  it('tells machine, commit, settings and the verdict of each run', () => {
    const text = renderResults(exampleResults([exampleRun(), exampleRun()]), 'docs/results.svg')

    assert.match(text, /Example CPU, 24 GB/)
    assert.match(text, /abcdef123456/)
    assert.match(text, /1000 purchases, 128 in flight/)
    assert.match(text, /Run 2: all invariants hold \(purchases 14150/)
    assert.match(text, /!\[[^\]]+\]\(docs\/results\.svg\)/)
  })

  it('has a row for each goal, with its mark', () => {
    const rows = rowsOf(renderResults(exampleResults(), 'x.svg'), ...columns)

    assert.equal(rows.length, 11)
    assert.deepEqual(rows[0], {
      figure: 'burst, all COMPLETED',
      must: '≥ 25.0 /s',
      aim: '≥ 40.0 /s',
      median: '41.0 /s',
      spread: '',
      '': 'aim',
    })
  })

  it('shows the spread of more than one run', () => {
    const [row] = rowsOf(
      renderResults(exampleResults([exampleRun(), exampleRun()]), 'x.svg'),
      ...columns,
    )

    assert.equal(row?.spread, '41.0–41.0')
  })
})

describe('the picture', () => {
  it('has a panel per phase and leaves a second without an end out of the latencies', () => {
    const { timeline = [] } = exampleRun().burst ?? {}
    const svg = renderChart([
      { title: 'burst & more', timeline },
      { title: 'open loop', timeline },
    ])

    assert.equal(svg.match(/<g /g)?.length, 2)
    assert.match(svg, /burst &amp; more/)
    assert.match(svg, /<title>[^<]+<\/title>/)
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/)
  })

  it('draws a phase of which nothing is known', () => {
    assert.doesNotMatch(renderChart([{ title: 'empty', timeline: [] }]), /NaN|Infinity|undefined/)
  })
})
