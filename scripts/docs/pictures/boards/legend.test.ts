import assert from 'node:assert/strict'
import { legendOf, maxEntries, shorten, unnamedColor } from './legend.ts'

const some = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `line ${index}`, values: [index, 0] }))

describe('the legend of a panel', () => {
  it('has each line with its largest value, the largest first', () => {
    const { entries } = legendOf(some(2), 's')

    assert.deepEqual(
      entries.map(({ name, value }) => `${name} ${value}`),
      ['line 1 1 s', 'line 0 0'],
    )
    assert.equal(new Set(entries.map(({ color }) => color)).size, 2)
  })

  it('has one entry for the lines that do not fit, with the largest value of them', () => {
    const { lines, entries } = legendOf(some(maxEntries + 3), 'short')

    assert.equal(entries.length, maxEntries)
    assert.deepEqual(entries.at(-1), {
      color: unnamedColor,
      name: '4 more, each at most',
      value: '3',
    })
    assert.equal(lines.length, maxEntries + 3)
  })

  it('has a color of its own for each line, if all fit', () => {
    const { lines } = legendOf(some(maxEntries), 'short')
    const used = new Set(lines.map(({ color }) => color))

    assert.equal(used.size, maxEntries)
    assert.ok(!used.has(unnamedColor))
  })

  it('draws the largest last, above the others', () => {
    const { lines } = legendOf(some(maxEntries + 3), 'short')

    assert.equal(lines.at(-1)?.series.name, `line ${maxEntries + 2}`)
    assert.equal(lines[0]?.color, unnamedColor)
  })

  it('leaves out the middle of a name that is too long', () => {
    assert.equal(shorten('purchase GET /purchases/:id', 13), 'purcha…es/:id')
    assert.equal(shorten('purchase', 13), 'purchase')
  })
})
