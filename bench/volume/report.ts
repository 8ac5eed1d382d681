import type { VolumeFigures } from './volume.ts'

type Row = [figure: string, must: string, value: string, mark: string]

const maxListMs = 100
const minBurstRatio = 0.95
const maxReconcileSeconds = 180
const maxReconcileMb = 300
const maxNamed = 20
const maxText = 90

const sum = (values: number[]) => values.reduce((all, value) => all + value, 0)
const missedMark = 'MISSED'
const mark = (ok: boolean) => (ok ? '' : missedMark)

/** The figures with what they must be. */
export function volumeRows({ rows, lists, statements, bursts, reconciler }: VolumeFigures): Row[] {
  const ratio = sum(bursts.filled) / sum(bursts.empty)
  const rate = (values: number[]) => values.map((value) => value.toFixed(1)).join(', ')
  const wrong = statements.filter(({ problem }) => problem !== undefined)
  return [
    [`${rows} products and purchases`, 'must', 'value', ''],
    ...lists.map(
      ({ name, p50, p95, items }): Row => [
        `${name} (${items})`,
        `p95 ≤ ${maxListMs} ms`,
        `p50 ${p50.toFixed(0)}, p95 ${p95.toFixed(0)}`,
        mark(p95 <= maxListMs),
      ],
    ),
    [
      'statements that read all of a big table',
      '0',
      `${wrong.length} of ${statements.length}`,
      mark(wrong.length === 0),
    ],
    ...wrong
      .slice(0, maxNamed)
      .map(
        ({ database, text, problem = '', maxMs }): Row => [
          `  ${database}: ${text.slice(0, maxText)}`,
          '',
          `${problem}, ${maxMs.toFixed(0)} ms`,
          '',
        ],
      ),
    [
      'burst, of the empty shop’s',
      `≥ ${minBurstRatio}`,
      `${ratio.toFixed(2)} (${rate(bursts.filled)} to ${rate(bursts.empty)} /s)`,
      mark(ratio >= minBurstRatio),
    ],
    [
      'reconciler: time',
      `≤ ${maxReconcileSeconds} s`,
      `${reconciler.seconds.toFixed(0)} s`,
      mark(reconciler.seconds <= maxReconcileSeconds),
    ],
    [
      'reconciler: memory',
      `≤ ${maxReconcileMb} MB`,
      `${reconciler.peakMb} MB`,
      mark(reconciler.peakMb <= maxReconcileMb),
    ],
    ['reconciler: verdict', 'clean', reconciler.ok ? 'clean' : 'VIOLATED', mark(reconciler.ok)],
  ]
}

/** Why the study fails: each figure that is not as it must be, and the statements that are wrong. */
export function volumeFailures(figures: VolumeFigures): string[] {
  const missed = volumeRows(figures).filter(([, , , mark]) => mark === missedMark)
  const wrong = figures.statements.flatMap(({ database, text, problem }) =>
    problem === undefined ? [] : [`${database} ${problem}: ${text.slice(0, maxText)}`],
  )
  return [
    ...missed.map(([figure, must, value]) => `${figure}: ${value}, must be ${must}`),
    ...wrong,
  ]
}
