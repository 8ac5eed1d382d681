import { gridPosOf } from '../../board-grid.ts'
import { escapeXml } from '../../svg.ts'
import { happenings } from './course.ts'
import { type Box, type Chart, drawPanel, type Span } from './panel.ts'

export const width = 1_040
const headHeight = 62
const gap = 8
const unitWidth = (width - gap) / 24
const unitHeight = 32

/** Where a panel is in the picture of its board: as in Grafana, below the title. */
export function boxOf(index: number): Box {
  const { x, y, w, h } = gridPosOf(index)
  return {
    x: gap + x * unitWidth,
    y: headHeight + y * unitHeight,
    w: w * unitWidth - gap,
    h: h * unitHeight - gap,
  }
}

/** A board as a picture: its panels as Grafana places them, with what happened in the run. */
export function drawBoard(title: string, charts: Chart[], span: Span): string {
  const boxes = charts.map((_, index) => boxOf(index))
  const height = Math.max(...boxes.map(({ y, h }) => y + h)) + gap
  const marked = Object.values(happenings).map(({ mark, what }) => `${mark}: ${what}`)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12.5" fill="#24292f">
<rect width="100%" height="100%" fill="#f3f5f8"/>
<text x="${gap + 4}" y="26" font-size="19" font-weight="bold">${escapeXml(title)}</text>
<text x="${width - gap - 4}" y="26" text-anchor="end" font-size="11" fill="#6b7580">drawn from Prometheus by the queries of the board; minutes of one run</text>
<text x="${gap + 4}" y="48" font-size="11.5" fill="#3d4650">${escapeXml(marked.join('   ·   '))}</text>
${charts.map((chart, index) => drawPanel(chart, boxes[index] as Box, span)).join('\n')}
</svg>
`
}
