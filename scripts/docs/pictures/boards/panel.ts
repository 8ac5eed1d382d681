import { line } from 'd3-shape'
import { type Panel, units } from '../../board-list.ts'
import { escapeXml } from '../../svg.ts'
import { type Entry, legendOf } from './legend.ts'
import { formatTime, formatValue, scaleOf, showsLimit } from './scale.ts'
import { lastOf, peakOf, type Series } from './series.ts'

/** A shaded time of a run. */
export type Mark = { mark: string; from: number; to: number }
/** When the points of all lines are, in seconds, and what happened meanwhile. */
export type Span = { times: number[]; marks: Mark[] }
export type Chart = { panel: Panel; series: Series[] }
export type Box = { x: number; y: number; w: number; h: number }

const padding = 12
const axis = { left: 46, top: 48, bottom: 18 }
const legendColumns = 2
const legendRow = 15
/** Of the last value of a panel that is one figure. */
const figureWidth = 90
const narrowest = 3
const secondsOfTick = 60
const red = '#c4302b'
const grey = '#6b7580'

function text(x: number, y: number, content: string, more = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${more && ` ${more}`}>${escapeXml(content)}</text>`
}

const rightAligned = 'text-anchor="end"'
const small = `font-size="10.5" fill="${grey}"`

/** One panel of a board: its title and unit, its lines with a red one at its limit, and its legend. */
export function drawPanel({ panel, series }: Chart, box: Box, span: Span): string {
  const { title, unit = 'short' } = panel
  const inside = [
    `<rect width="${box.w}" height="${box.h}" rx="4" fill="#fff" stroke="#dfe3e8"/>`,
    text(padding, 20, title, 'font-weight="bold"'),
    text(padding, 35, units[unit], small),
    ...(series.length === 0 ? [sayEmpty(box)] : drawData({ panel, series }, box, span)),
  ]
  return `<g transform="translate(${box.x.toFixed(1)} ${box.y.toFixed(1)})">\n${inside.join('\n')}\n</g>`
}

function sayEmpty({ w, h }: Box): string {
  return text(w / 2, h / 2, 'no data in this run', `text-anchor="middle" fill="${grey}"`)
}

function drawData({ panel, series }: Chart, box: Box, { times, marks }: Span): string[] {
  const { unit = 'short', kind, limit } = panel
  const { lines, entries } = legendOf(series, unit)
  const legendHeight = kind === 'stat' ? 0 : Math.ceil(entries.length / legendColumns) * legendRow
  const plot = {
    left: axis.left,
    right: box.w - padding - (kind === 'stat' ? figureWidth : 0),
    top: axis.top,
    bottom: box.h - padding - legendHeight - axis.bottom,
  }
  const peak = Math.max(...series.map(peakOf))
  const { scale, ticks } = scaleOf(peak, limit, unit)
  const [begin = 0, end = 1] = [times[0], times.at(-1)]
  const x = (at: number) => plot.left + ((at - begin) / (end - begin)) * (plot.right - plot.left)
  const y = (value: number) => plot.bottom - scale(value) * (plot.bottom - plot.top)
  const path = line<number>()
    .defined(Number.isFinite)
    .x((_, index) => x(times[index] ?? 0))
    .y(y)

  const drawn = [
    ...marks.flatMap(({ mark, from, to }) => {
      const width = Math.max(x(to) - x(from), narrowest)
      return [
        `<rect x="${x(from).toFixed(1)}" y="${plot.top}" width="${width.toFixed(1)}" height="${plot.bottom - plot.top}" fill="#eef1f5"/>`,
        text(x(from) + width / 2, plot.top - 4, mark, `text-anchor="middle" ${small}`),
      ]
    }),
    ...ticks.flatMap((tick) => [
      `<path d="M${plot.left} ${y(tick).toFixed(1)}H${plot.right}" stroke="#e4e7eb"/>`,
      text(plot.left - 6, y(tick) + 4, formatValue(tick, unit), `${rightAligned} ${small}`),
    ]),
    ...times
      .filter((at) => at % secondsOfTick === 0)
      .map((at) => text(x(at), plot.bottom + 14, formatTime(at), `text-anchor="middle" ${small}`)),
    ...lines.map(
      ({ series: { values }, color }) =>
        `<path d="${path(values) ?? ''}" fill="none" stroke="${color}" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round"/>`,
    ),
  ]
  if (limit !== undefined) {
    const isShown = showsLimit(peak, limit)
    const words = `red from ${formatValue(limit, unit)}${isShown ? '' : ', above this scale'}`
    drawn.push(text(box.w - padding, 20, words, `${rightAligned} font-size="10.5" fill="${red}"`))
    if (isShown) drawn.push(drawLimit(y(limit), plot))
  }
  if (kind === 'stat') drawn.push(drawLast(lastOf(series[0] as Series), panel, box, plot))
  else drawn.push(...drawLegend(entries, box))
  return drawn
}

function drawLimit(y: number, { left, right }: { left: number; right: number }): string {
  return `<path d="M${left} ${y.toFixed(1)}H${right}" stroke="${red}" stroke-width="1.2" stroke-dasharray="6 3"/>`
}

/** The last value, large, as a panel of one figure has it. */
function drawLast(
  value: number,
  { unit = 'short', limit = Number.POSITIVE_INFINITY }: Panel,
  { w }: Box,
  { top, bottom }: { top: number; bottom: number },
): string {
  const color = value >= limit ? red : '#3c8a4b'
  const middle = w - padding - figureWidth / 2 + 5
  return [
    text(
      middle,
      (top + bottom) / 2 + 14,
      formatValue(value, unit),
      `text-anchor="middle" font-size="44" font-weight="bold" fill="${color}"`,
    ),
    text(middle, (top + bottom) / 2 + 34, 'at the end', `text-anchor="middle" ${small}`),
  ].join('\n')
}

function drawLegend(entries: Entry[], { w, h }: Box): string[] {
  const rows = Math.ceil(entries.length / legendColumns)
  const width = (w - 2 * padding) / legendColumns
  return entries.map(({ color, name, value }, index) => {
    const left = padding + Math.floor(index / rows) * width
    const y = h - padding - (rows - 1 - (index % rows)) * legendRow
    return [
      `<path d="M${left} ${y - 4}h12" stroke="${color}" stroke-width="3"/>`,
      text(left + 17, y, name, 'font-size="10.5"'),
      text(left + width - 12, y, value, `${rightAligned} ${small}`),
    ].join('\n')
  })
}
