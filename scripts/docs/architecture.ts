import { topics } from '../../shared/contracts/topics.ts'
import type { ServiceName } from '../stack/services.ts'
import { type Flows, readFlows } from './flows.ts'
import { escapeXml } from './svg.ts'

const width = 1040
const colors = {
  line: '#5f6f7f',
  text: '#1f2933',
  label: '#3e4c59',
  service: '#f5f7fb',
  engine: '#e6f4e9',
  broker: '#fdefd3',
  decides: '#e2eefb',
}
/** Columns of the services that have routes, from left to right. */
const columns: ServiceName[] = ['account', 'product', 'order', 'payment', 'purchase', 'media']
const columnWidth = 150
const gap = 20
const left = 30
const rows = { customer: 16, traefik: 84, services: 190, kafka: 480, below: 650 }

type Box = { x: number; y: number; w: number; h: number }

function text(x: number, y: number, content: string, extra = 'text-anchor="middle"'): string {
  return `<text x="${x}" y="${y}" ${extra}>${escapeXml(content)}</text>`
}

function box({ x, y, w, h }: Box, title: string, lines: string[], fill: string): string {
  const middle = x + w / 2
  const first = y + h / 2 + 5 - (lines.length * 16) / 2
  return [
    `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="6" fill="${fill}" stroke="${colors.line}"/>`,
    text(
      middle,
      first,
      title,
      `text-anchor="middle" font-weight="bold" font-size="14" fill="${colors.text}"`,
    ),
    ...lines.map((line, index) => text(middle, first + 17 * (index + 1), line)),
  ].join('\n')
}

function cylinder(x: number, y: number, w: number, h: number, label: string): string {
  const side = `M${x} ${y + 6}v${h - 12}a${w / 2} 6 0 0 0 ${w} 0v${12 - h}`
  return [
    `<path d="${side}" fill="${colors.engine}" stroke="${colors.line}"/>`,
    `<ellipse cx="${x + w / 2}" cy="${y + 6}" rx="${w / 2}" ry="6" fill="${colors.engine}" stroke="${colors.line}"/>`,
    text(x + w / 2, y + h / 2 + 8, label),
  ].join('\n')
}

function arrow(x: number, from: number, to: number, dash = false): string {
  const style = dash ? ' stroke-dasharray="4 3"' : ''
  return `<path d="M${x} ${from}V${to}" stroke="${colors.line}" stroke-width="1.6" fill="none" marker-end="url(#head)"${style}/>`
}

/** An arrow with a label along it, one topic a line. */
function labelled(x: number, from: number, to: number, labels: string[]): string {
  const middle = (from + to) / 2
  const words = labels.map((label, index) => {
    const at = x - 6 - 13 * (labels.length - 1 - index)
    return text(
      at,
      middle,
      label,
      `text-anchor="middle" transform="rotate(-90 ${at} ${middle})" font-size="11"`,
    )
  })
  return [arrow(x, from, to), ...words].join('\n')
}

const columnOf = (service: ServiceName) => left + columns.indexOf(service) * (columnWidth + gap)

function drawService(service: ServiceName, flows: Flows): string {
  const x = columnOf(service)
  const middle = x + columnWidth / 2
  const y = rows.services
  const grpc = flows.serves.length > 0
  const outside = flows.engines.includes('provider') ? ['the provider'] : []
  const asked = [...flows.calls, ...outside]
  const asks = asked.length > 0 ? [`asks ${asked.join(', ')}`] : []
  const parts = [
    box({ x, y, w: columnWidth, h: 44 }, service, asks, colors.service),
    arrow(middle - 30, rows.traefik + 46, y),
    text(middle - 36, y - 30, 'HTTP', 'font-size="11" text-anchor="end"'),
  ]
  if (grpc) {
    parts.push(
      arrow(middle + 30, rows.traefik + 46, y, true),
      text(middle + 36, y - 30, 'gRPC', 'font-size="11"'),
    )
  }
  if (flows.calls.length > 0) parts.push(arrow(middle, y, rows.traefik + 46, true))
  if (flows.engines.includes('postgres')) {
    parts.push(cylinder(x + 14, y + 52, columnWidth - 28, 44, `${service}_db`))
  }
  if (flows.engines.includes('redis')) parts.push(text(middle, y + 117, 'Redis'))
  if (flows.publishes.length > 0) {
    parts.push(labelled(middle - 18, y + 128, rows.kafka, flows.publishes))
  }
  if (flows.consumes.length > 0) {
    parts.push(labelled(middle + 62, rows.kafka, y + 128, flows.consumes))
  }
  return parts.join('\n')
}

/** The picture of all processes and their messages, drawn from the sources. */
export async function renderArchitecture(): Promise<string> {
  const flows = await readFlows()
  const right = columnOf('media') + columnWidth
  const shared = columns.filter((service) => flows[service].engines.includes('redis'))
  const redisX = columnOf(shared[0] ?? 'account')
  const redisEnd = columnOf(shared.at(-1) ?? 'purchase') + columnWidth
  const kafka = { x: left, y: rows.kafka, w: columnOf('media') - gap - left, h: 74 }
  const half = Math.ceil(topics.length / 2)
  const orchestrator = { x: 330, y: rows.below, w: 330, h: 76 }
  const mail = { x: left, y: rows.below, w: 150, h: 76 }
  const temporal = { x: 760, y: rows.below, w: 250, h: 76 }
  const minio = { x: columnOf('media'), y: rows.kafka, w: columnWidth, h: 74 }
  const provider = { x: temporal.x, y: rows.below + 84, w: 250, h: 44 }
  const catcher = { x: left, y: rows.below + 130, w: 150, h: 50 }
  const height = rows.below + 200

  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${colors.label}">
<title>Processes and what flows between them</title>
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="${colors.line}"/></marker></defs>
<rect width="100%" height="100%" fill="#fff"/>
${box({ x: 430, y: rows.customer, w: 180, h: 34 }, 'customer', [], colors.service)}
${arrow(520, rows.customer + 34, rows.traefik)}
${box({ x: left, y: rows.traefik, w: right - left, h: 46 }, 'Traefik', ['web :80, /api/v1 and /docs  ·  cdn :9000, files of MinIO  ·  grpc :9090, inside only'], colors.service)}
${columns.map((service) => drawService(service, flows[service])).join('\n')}
<rect x="${redisX}" y="${rows.services + 102}" width="${redisEnd - redisX}" height="22" rx="4" fill="none" stroke="${colors.line}" stroke-dasharray="3 3"/>
${box(kafka, 'Kafka', [topics.slice(0, half).join(' · '), topics.slice(half).join(' · ')], colors.broker)}
${box(minio, 'MinIO', ['images and videos', 'read through Traefik'], colors.engine)}
${arrow(minio.x + columnWidth / 2, rows.services + 100, rows.kafka)}
${box(orchestrator, 'orchestrator', ['workflows decide, activities send', 'replies complete the waiting step'], colors.decides)}
${box(temporal, 'Temporal', ['history of every purchase', 'Web UI :8233'], colors.decides)}
<path d="M${orchestrator.x + orchestrator.w} ${rows.below + 38}H${temporal.x}" stroke="${colors.line}" stroke-width="1.6" marker-end="url(#head)" marker-start="url(#head)"/>
${labelled(orchestrator.x + 90, kafka.y + kafka.h, rows.below, [])}
${text(orchestrator.x + 84, rows.below - 42, flows.orchestrator.consumes.join(', '), 'text-anchor="end"')}
${labelled(orchestrator.x + 130, rows.below, kafka.y + kafka.h, [])}
${flows.orchestrator.publishes.map((topic, index) => `<text x="${orchestrator.x + 142}" y="${kafka.y + kafka.h + 22 + 15 * index}">${topic}</text>`).join('\n')}
${box(mail, 'mail', ['sends e-mails'], colors.service)}
${labelled(mail.x + 75, kafka.y + kafka.h, rows.below, [])}
${text(mail.x + 106, rows.below - 42, flows.mail.consumes.join(', '))}
${arrow(mail.x + 75, rows.below + 76, catcher.y)}
${box(provider, 'payment provider', ['asked by payment, events by Traefik'], colors.engine)}
${box(catcher, 'SMTP server', ['UI :8025'], colors.engine)}
<text x="${orchestrator.x}" y="${catcher.y + 20}">Every consumer publishes poison to dead-letters.</text>
<text x="${orchestrator.x}" y="${catcher.y + 40}">The orchestrator serves ${flows.orchestrator.serves.join(', ')} and asks ${flows.orchestrator.calls.join(', ') || 'nobody'} by gRPC through Traefik.</text>
</svg>
`
}
