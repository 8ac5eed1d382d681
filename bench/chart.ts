import { scaleLinear } from 'd3-scale'
import { area, line } from 'd3-shape'
import type { Second } from './figures.ts'

export type Panel = { title: string; timeline: Second[] }

const width = 860
const panelHeight = 230
const margin = { top: 34, right: 62, bottom: 34, left: 52 }
const colors = { ended: '#2f6fb3', p50: '#c98500', p99: '#b3392f' }

/**
 * A chart per phase, one below the other: purchases that ended in each second (blue, left axis), and their time since
 * the POST (p50 amber, p99 red; right axis, ms).
 */
export function renderChart(panels: Panel[]): string {
  const height = Math.max(1, panels.length) * panelHeight
  const drawn = panels.map((panel, index) => drawPanel(panel, index * panelHeight))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<title>Throughput and latency over time</title>
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join('\n')}
</svg>
`
}

function drawPanel({ title, timeline }: Panel, top: number): string {
  const bottom = panelHeight - margin.bottom
  const right = width - margin.right
  const most = (values: number[]) => Math.max(1, ...values.filter(Number.isFinite))
  const x = scaleLinear([0, Math.max(1, timeline.length - 1)], [margin.left, right])
  const rate = scaleLinear([0, most(timeline.map(({ ended }) => ended))], [bottom, margin.top])
  const ms = scaleLinear([0, most(timeline.map(({ p99 }) => p99))], [bottom, margin.top])
  rate.nice(5)
  ms.nice(5)

  const filled = area<Second>()
    .x(({ second }) => x(second))
    .y0(bottom)
    .y1(({ ended }) => rate(ended))
  const latency = (field: 'p50' | 'p99') =>
    line<Second>()
      .defined((second) => Number.isFinite(second[field]))
      .x(({ second }) => x(second))
      .y((second) => ms(second[field]))(timeline) ?? ''

  const text = (at: [number, number], anchor: string, content: string, fill = '#333') =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" text-anchor="${anchor}" fill="${fill}">${escapeXml(content)}</text>`
  const axes = [
    ...rate.ticks(5).map((tick) => {
      const grid = `<path d="M${margin.left} ${rate(tick).toFixed(1)}H${right}" stroke="#e4e4e4"/>`
      return grid + text([margin.left - 6, rate(tick) + 4], 'end', `${tick}`, colors.ended)
    }),
    ...ms.ticks(5).map((tick) => text([right + 6, ms(tick) + 4], 'start', `${tick}`, colors.p99)),
    ...x.ticks(10).map((tick) => text([x(tick), bottom + 16], 'middle', `${tick} s`)),
  ]
  return `<g transform="translate(0 ${top})">
${text([margin.left, 18], 'start', title)}
${text([right, 18], 'end', 'ended in a second (blue), ms to terminal p50 (amber), p99 (red)')}
${axes.join('\n')}
<path d="${filled(timeline) ?? ''}" fill="${colors.ended}" fill-opacity="0.25" stroke="${colors.ended}"/>
<path d="${latency('p50')}" fill="none" stroke="${colors.p50}" stroke-width="1.5"/>
<path d="${latency('p99')}" fill="none" stroke="${colors.p99}" stroke-width="1.5"/>
</g>`
}

function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
