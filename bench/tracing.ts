import { receiveSpans } from '../scripts/stack/observe/otlp.ts'
import type { StackOptions } from '../scripts/stack/start.ts'
import type { Burst } from './run.ts'
import { spreadOf } from './stats.ts'

/* What traces cost: the same burst without them, with a tenth of the purchases traced, and with all of them. */

/** The share of purchases that is traced; undefined: no endpoint, so nothing of OpenTelemetry is loaded. */
type Sampled = { name: string; share: string | undefined }

/** Without traces first and last, which shows how much two equal runs differ. */
const samples: Sampled[] = [
  { name: 'off', share: undefined },
  { name: '10 %', share: '0.1' },
  { name: 'all', share: '1' },
  { name: 'off, again', share: undefined },
]

export type Measured = Sampled & { burst: Burst; spans: number }

/** Runs `measure` with each setting. */
export async function measureTracing(
  measure: (options: Pick<StackOptions, 'otlp'>) => Promise<Burst>,
  say: (what: string) => void,
): Promise<Measured[]> {
  let spans = 0
  const receiver = await receiveSpans(0, async (received) => {
    spans += received.length
  })
  try {
    const measured: Measured[] = []
    for (const sample of samples) {
      say(`traces: ${sample.name}`)
      spans = 0
      const { share } = sample
      const otlp = share === undefined ? undefined : { endpoint: receiver.endpoint, share }
      const burst = await measure(otlp ? { otlp } : {})
      measured.push({ ...sample, burst, spans })
    }
    return measured
  } finally {
    await receiver.close()
  }
}

/** CPU of a purchase in all processes but the benchmark, which receives the spans; ms. */
function cpuOf({ use, posted }: Burst): number {
  const others = use?.processes.filter(({ kind }) => kind !== 'benchmark') ?? []
  return (others.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / posted) * 1_000
}

/** A row for each setting; ratios are to the mean of the two runs without traces. */
export function tracingRows(measured: Measured[]): (string | number)[][] {
  const off = measured.filter(({ share }) => share === undefined)
  const base = spreadOf(off.map(({ burst }) => cpuOf(burst))).median
  return [
    ['traced', 'CPU a purchase', 'ratio', '     rate', 'RSS of the services', 'spans'],
    ...measured.map(({ name, burst, spans }) => [
      name,
      `${cpuOf(burst).toFixed(1)} ms`,
      (cpuOf(burst) / base).toFixed(2),
      `${burst.completedPerSecond.toFixed(1)} /s`.padStart(9),
      `${burst.use?.servicesRssMax ?? ''} MB`,
      `${spans}`,
    ]),
  ]
}
