import { scaleLinear, scaleOrdinal } from 'd3-scale'
import { line } from 'd3-shape'
import type { Sample, Samples } from './samples.ts'

/** Something that was done to the shop, and when. */
export type Mark = { minute: number; what: string }

const width = 860
const height = 380
const margin = { top: 40, right: 130, bottom: 34, left: 52 }
const colors = ['#2f6fb3', '#c98500', '#b3392f', '#3c8a4b', '#7a4fa3', '#00838f', '#8d6e63', '#555']

/** The memory of each process over time, and what was done to the shop meanwhile. */
export function renderSoak(samples: Samples, marks: Mark[]): string {
  const names = [...samples.keys()]
  const all = [...samples.values()].flat()
  const most = (values: number[]) => Math.max(1, ...values)
  const x = scaleLinear(
    [0, most(all.map(({ minute }) => minute))],
    [margin.left, width - margin.right],
  )
  const y = scaleLinear(
    [0, most(all.map(({ rssMb }) => rssMb))],
    [height - margin.bottom, margin.top],
  )
  y.nice(5)
  const color = scaleOrdinal(names, colors)
  const text = (left: number, top: number, anchor: string, content: string, fill = '#333') =>
    `<text x="${left.toFixed(1)}" y="${top.toFixed(1)}" text-anchor="${anchor}" fill="${fill}">${content}</text>`
  const path = line<Sample>()
    .x(({ minute }) => x(minute))
    .y(({ rssMb }) => y(rssMb))
  // Names that would lie on each other move down.
  let free = margin.top
  const labels = names
    .map((name) => ({ name, last: samples.get(name)?.at(-1)?.rssMb ?? 0 }))
    .toSorted((a, b) => b.last - a.last)
    .map(({ name, last }) => {
      const top = Math.max(free, y(last) + 4)
      free = top + 14
      return text(width - margin.right + 8, top, 'start', `${name} ${last} MB`, color(name))
    })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<title>Memory of each service in a soak</title>
<rect width="100%" height="100%" fill="#fff"/>
${text(margin.left, 18, 'start', 'Memory (RSS) of each service, MB, by minutes')}
${y
  .ticks(5)
  .map(
    (tick) =>
      `<path d="M${margin.left} ${y(tick).toFixed(1)}H${width - margin.right}" stroke="#e4e4e4"/>${text(margin.left - 6, y(tick) + 4, 'end', `${tick}`)}`,
  )
  .join('\n')}
${x
  .ticks(8)
  .map((tick) => text(x(tick), height - margin.bottom + 16, 'middle', `${tick}`))
  .join('\n')}
${marks.map(({ minute, what }) => `<path d="M${x(minute).toFixed(1)} ${margin.top - 6}V${height - margin.bottom}" stroke="#999" stroke-dasharray="3 3"/>${text(x(minute), margin.top - 10, 'middle', what)}`).join('\n')}
${names.map((name) => `<path d="${path(samples.get(name) ?? []) ?? ''}" fill="none" stroke="${color(name)}" stroke-width="1.5"/>`).join('\n')}
${labels.join('\n')}
</svg>
`
}
