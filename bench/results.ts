import type { Machine } from './machine.ts'
import type { Settings, Study } from './options.ts'
import { goalRows, tablesOf } from './report.ts'
import type { RunResult } from './run.ts'
import type { Measured } from './tracing.ts'
import type { VolumeFigures } from './volume/volume.ts'

/** What `--json` writes. */
export type Results = {
  machine: Machine
  settings: Settings
  runs: RunResult[]
  studies?: Partial<Record<Study, VolumeFigures | Measured[]>>
}

/** The whole of RESULTS.md. `picture` is the path of the chart, from there. */
export function renderResults({ machine, settings, runs }: Results, picture: string): string {
  const last = runs.at(-1)
  const verdict = runs.map(({ reconciled }, index) => {
    const { ok, counts } = reconciled
    const all = Object.entries(counts).map(([what, count]) => `${what} ${count}`)
    return `- Run ${index + 1}: ${ok ? 'all invariants hold' : 'VIOLATED'} (${all.join(', ')})`
  })
  const sections = [
    '# Results',
    'Written by `npm run bench -- --write`; do not edit. How it is measured and what limits it: [docs/benchmark.md](docs/benchmark.md).',
    markdownTable([
      ['', ''],
      ['Date', runs[0]?.startedAt.slice(0, 16).replace('T', ' ') ?? ''],
      ['Commit', machine.commit],
      ['Machine', `${machine.cores} × ${machine.cpu}, ${machine.memoryGb} GB`],
      ['System', `${machine.system}, Node ${machine.node}`],
      ['Load before', `${machine.loadBefore}`],
      ['Runs', `${runs.length}, each on a fresh stack that shares the machine with the benchmark`],
      ['Burst', `${settings.purchases} purchases, ${settings.inFlight} in flight`],
      ['Open loop', `${settings.perMinute} a minute for ${settings.openSeconds} s`],
      ['Warm-up', `${settings.warmUp} purchases`],
    ]),
    '## Goals',
    markdownTable(goalRows(runs)),
    '## Reconciler',
    verdict.join('\n'),
    `![Throughput and latency over time](${picture})`,
    ...(last ? [`## Run ${runs.length} in detail`, ...details(last)] : []),
  ]
  return `${sections.join('\n\n')}\n`
}

function details(run: RunResult): string[] {
  return tablesOf(run).flatMap(({ title, rows }) => {
    const [header = [], ...rest] = rows
    // A table of pairs has no header of its own.
    const table = header.length === 2 ? [['', ''], header, ...rest] : [header, ...rest]
    return [`### ${title}`, markdownTable(table)]
  })
}

function markdownTable(rows: (string | number)[][]): string {
  const [header = [], ...rest] = rows
  const line = (cells: (string | number)[]) =>
    `| ${cells.map((cell) => `${cell}`.trim()).join(' | ')} |`
  return [line(header), `|${header.map(() => '---').join('|')}|`, ...rest.map(line)].join('\n')
}
