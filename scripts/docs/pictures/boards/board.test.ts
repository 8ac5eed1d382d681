import assert from 'node:assert/strict'
import { prometheusConfig } from '../../../stack/observe/prometheus-config.ts'
import { resolvePorts } from '../../../stack/ports.ts'
import { boards } from '../../board-list.ts'
import { renderBoards } from '../../boards.ts'
import { boxOf, drawBoard, width } from './board.ts'
import { course, happenings } from './course.ts'
import type { Chart } from './panel.ts'

const span = {
  times: [0, 60, 120],
  marks: [{ mark: happenings.kill.mark, from: 40, to: 60 }],
}

const [well = assert.fail()] = boards
const chartsOf = (values: number[]): Chart[] =>
  well.panels.map((panel) => ({ panel, series: [{ name: 'line <1>', values }] }))
const drawOne = (chart: Chart | undefined) => drawBoard('Board', chart ? [chart] : [], span)

describe('the picture of a board', () => {
  it('has its panels where Grafana has them, inside the picture, and none on another', () => {
    const rendered = JSON.parse(renderBoards()['limits.json'] ?? '{}') as {
      panels: { gridPos: { x: number; y: number } }[]
    }
    const boxes = rendered.panels.map((_, index) => boxOf(index))
    const columns = [...new Set(boxes.map(({ x }) => x))]
    const rows = [...new Set(boxes.map(({ y }) => y))]

    for (const [index, { gridPos }] of rendered.panels.entries()) {
      const { x = 0, y = 0, w = 0 } = boxes[index] ?? {}
      assert.equal(columns.indexOf(x), gridPos.x === 0 ? 0 : 1)
      assert.equal(rows.indexOf(y), gridPos.y / 8)
      assert.ok(x + w < width)
    }
    const [first, second, third] = boxes
    assert.ok(first && second && third)
    assert.ok(first.x + first.w < second.x && first.y + first.h < third.y)
  })

  it('has the title, unit and limit of every panel, and what happened', () => {
    const picture = drawBoard(well.title, chartsOf([0.1, 0.2, 0.3]), span)

    for (const { title } of well.panels) assert.ok(picture.includes(title), title)
    assert.ok(picture.includes(well.title))
    assert.ok(picture.includes('>a second</text>'))
    assert.ok(picture.includes('red from 500 ms'))
    for (const { what } of Object.values(happenings)) assert.ok(picture.includes(what), what)
    assert.ok(picture.includes('line &lt;1&gt;'))
  })

  it('has a red line at a limit, unless it is far above all values, which it then says', () => {
    const [, , limited] = chartsOf([0.2, 0.3, 0.4])
    const [, , low] = chartsOf([0.01, 0.02, 0.03])

    assert.match(drawOne(limited), /stroke-dasharray/)
    assert.doesNotMatch(drawOne(low), /stroke-dasharray/)
    assert.match(drawOne(low), /red from 500 ms, above this scale/)
  })

  it('interrupts a line where there is no value', () => {
    const [whole, broken] = [
      [1, 2, 3],
      [1, Number.NaN, 3],
    ].map((values) => drawOne(chartsOf(values)[0]))
    const lineOf = (picture = '') => / d="(M[^"]*)" fill="none"/.exec(picture)?.[1] ?? ''

    assert.equal(lineOf(whole).match(/M/g)?.length, 1)
    assert.equal(lineOf(broken).match(/M/g)?.length, 2)
  })

  it('has the last value of a panel of one figure, red from its limit on', () => {
    const figure = well.panels.findIndex(({ kind }) => kind === 'stat')
    const last = (values: number[]) =>
      /font-size="44"[^>]*fill="([^"]+)">([^<]+)</.exec(drawOne(chartsOf(values)[figure]))?.slice(1)

    assert.deepEqual(last([0, 1, 0]), ['#3c8a4b', '0'])
    assert.deepEqual(last([0, 0, 2]), ['#c4302b', '2'])
  })

  it('says of a panel without data that it has none', () => {
    const [panel = assert.fail()] = well.panels

    assert.match(drawOne({ panel, series: [] }), /no data in this run/)
  })
})

describe('the run that the pictures show', () => {
  it('is read as often as a line has points', () => {
    const { global } = prometheusConfig(
      { ports: resolvePorts(0, {}) },
      { temporalSdk: 1 },
      { rules: '', timesFaster: course.timesFaster },
    )

    assert.equal(global.scrape_interval, `${course.stepSeconds * 1_000}ms`)
  })

  it('lets one thing happen after the other', () => {
    const { kill, slow, rush, seconds } = course

    assert.ok(kill.at + kill.seconds < slow.at)
    assert.ok(slow.at + slow.seconds < rush.at)
    assert.ok(rush.at < seconds)
  })
})
