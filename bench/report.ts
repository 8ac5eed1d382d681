import { formatTable } from '../scripts/stack/table.ts'
import type { PurchaseFigures } from './figures.ts'
import type { ProcessUse } from './processes.ts'
import type { RunResult } from './run.ts'
import { formatValue, judge } from './targets.ts'

type Cell = string | number
type Table = { title: string; rows: Cell[][] }

/** One run in tables, for people. Tables of phases that did not run are left out. */
export function tablesOf(run: RunResult): Table[] {
  return [latencies(run), rates(run), costs(run), uses(run)].filter(({ rows }) => rows.length > 1)
}

export function formatTables(tables: Table[]): string {
  return tables.map(({ title, rows }) => `${title}\n${formatTable(rows)}`).join('\n\n')
}

/** The goals and how the runs stand to them; the medians when there is more than one run. */
export function goalRows(runs: RunResult[]): Cell[][] {
  const rows = judge(runs).map(({ goal, spread, runs: measured, mark }) => [
    goal.name,
    `${goal.better === 'more' ? '≥' : '≤'} ${formatValue(goal, goal.must)}`,
    `${goal.better === 'more' ? '≥' : '≤'} ${formatValue(goal, goal.aim)}`,
    formatValue(goal, spread.median),
    measured > 1 ? `${spread.low.toFixed(goal.digits)}–${spread.high.toFixed(goal.digits)}` : '',
    mark,
  ])
  return [['figure', 'must', 'aim', 'median', 'spread', ''], ...rows]
}

function latencies({ latency, burst, open, long, reads }: RunResult): Table {
  const times = (what: string, { p50, p95, p99, max }: PurchaseFigures['post']) => [
    what,
    ...[p50, p95, p99, max].map((ms) => `${Math.round(ms)}`.padStart(5)),
  ]
  const both = (name: string, figures: PurchaseFigures | undefined) =>
    figures
      ? [times(`${name}: POST`, figures.post), times(`${name}: to terminal`, figures.toTerminal)]
      : []
  return {
    title: 'Latencies, ms',
    rows: [
      ['', ...['p50', 'p95', 'p99', 'max'].map((name) => name.padStart(5))],
      ...both('one at a time', latency),
      ...both('burst', burst),
      ...both('open loop', open),
      ...both('long', long),
      ...(reads
        ? [['product by id', `${reads.p50}`.padStart(5), '', `${reads.p99}`.padStart(5), '']]
        : []),
    ],
  }
}

const list = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')

function rates({ burst, open, search, reads, ceiling, long }: RunResult): Table {
  const purchases = (name: string, figures: PurchaseFigures) => [
    name,
    `${figures.completedPerSecond.toFixed(1)} /s`,
    `accepted ${figures.acceptedPerSecond.toFixed(1)} /s; ${list(figures.answers)}; ${list(figures.outcomes)}`,
  ]
  const tried = search?.trials.map(({ rate, ok }) => `${rate} ${ok ? 'ok' : 'too high'}`)
  return {
    title: 'Rates',
    rows: [
      ['', 'completed', ''],
      ...(burst ? [purchases(`burst, ${burst.inFlight} in flight`, burst)] : []),
      ...(burst ? [besideTheOriginal(burst)] : []),
      ...(open ? [purchases(`open loop, ${open.perMinute} a minute`, open)] : []),
      ...(long ? [purchases(`long, ${long.posted}`, long)] : []),
      ...(search
        ? [
            [
              'highest with p99 to terminal ≤ 2 s',
              `${(search.perMinute / 60).toFixed(1)} /s`,
              `a minute: ${tried?.join(', ')}`,
            ],
          ]
        : []),
      ...(reads
        ? [
            [
              `product by id, ${reads.inFlight} in flight`,
              `${Math.round(reads.perSecond)} /s`,
              `${reads.failed} failed`,
            ],
          ]
        : []),
      ...(ceiling
        ? [
            ['bare Temporal, plain activities', `${ceiling.plain.toFixed(1)} /s`, ''],
            ['bare Temporal, local activities', `${ceiling.local.toFixed(1)} /s`, ''],
          ]
        : []),
    ],
  }
}

/** The README of the original: "processing 1000 purchases in 1 minute". */
function besideTheOriginal({ completedPerSecond }: PurchaseFigures): Cell[] {
  const seconds = (1_000 / completedPerSecond).toFixed(0)
  return [
    '1,000 purchases',
    `${seconds} s`,
    'the original, by its README: 60 s, on its own machine',
  ]
}

function costs({ costs: found }: RunResult): Table {
  if (!found) return { title: '', rows: [] }
  const { sagas, temporal, kafka } = found
  const per = (count: number) => (count / sagas).toFixed(2)
  return {
    title: `What one purchase of the burst cost, on average of ${sagas}`,
    rows: [
      ['Temporal: events', temporal.events.toFixed(1)],
      ['Temporal: state transitions', temporal.transitions.toFixed(1)],
      ['Temporal: bytes of history', temporal.bytes.toFixed(0)],
      ['Kafka: messages', per(kafka.messages)],
      ['Kafka: bytes', (kafka.bytes / sagas).toFixed(0)],
      ...Object.entries(kafka.byTopic)
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([topic, sums]) => [
          `  ${topic}`,
          `${per(sums.messages)} messages, ${(sums.bytes / sagas).toFixed(0)} bytes`,
        ]),
      ['commands sent again', `${kafka.sentAgain} of ${kafka.commands}`],
    ],
  }
}

function uses({ burst }: RunResult): Table {
  if (!burst?.use) return { title: '', rows: [] }
  const purchases = burst.posted
  const busiest = burst.use.processes.toSorted((a, b) => b.cpuSeconds - a.cpuSeconds)
  const perPurchase = (seconds: number) => ((seconds / purchases) * 1_000).toFixed(1)
  const row = ({ name, cpuSeconds, rssStart, rssMax }: ProcessUse) => [
    name,
    perPurchase(cpuSeconds).padStart(8),
    `${Math.round((cpuSeconds / burst.seconds) * 100)} %`.padStart(6),
    `${rssStart}`.padStart(6),
    `${rssMax}`.padStart(6),
  ]
  const all = busiest.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)
  return {
    title: 'CPU and memory in the burst (the benchmark is also the launcher of its own stack)',
    rows: [
      ['process', 'ms each', '  core', '   RSS', '   max'],
      ...busiest.map(row),
      [
        'all',
        perPurchase(all).padStart(8),
        `${Math.round((all / burst.seconds) * 100)} %`.padStart(6),
        '',
        '',
      ],
    ],
  }
}
