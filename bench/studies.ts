import type { StackOptions } from '../scripts/stack/start.ts'
import { formatTable } from '../scripts/stack/table.ts'
import { connectEnds } from './ends.ts'
import { compareNeighbours } from './fairness.ts'
import { fairnessFailures, fairnessRows } from './fairness-report.ts'
import type { Settings, Study } from './options.ts'
import { startOwnTarget } from './own-stack.ts'
import type { Progress } from './progress.ts'
import { printReport, reconcile } from './reconcile.ts'
import { readReplicaLoads, unevenness } from './replicas.ts'
import { type Burst, buy } from './run.ts'
import { type Measured, measureTracing, tracingRows } from './tracing.ts'
import { volumeFailures, volumeRows } from './volume/report.ts'
import { measureVolume, type VolumeFigures } from './volume/volume.ts'

/* The effect of a setting: the same burst on a fresh stack for each of its values. A violation ends the study. */

type Options = Omit<StackOptions, 'dataDir' | 'portOffset'>
type Deps = { settings: Settings; progress: Progress; signal: AbortSignal }
type Started = Awaited<ReturnType<typeof startOwnTarget>>

/** Services that handle commands and events, and the orchestrator, which has a pool of its own. */
const pooled = ['account', 'product', 'order', 'payment', 'purchase', 'mail'] as const

type Pools = { concurrency: number; orchestrator: number; unfinished: number; partitions: number }

const seed: Pools = { concurrency: 64, orchestrator: 100, unfinished: 128, partitions: 10 }
/** The seed's sizes, and from there one size at a time. */
const poolSizes: Pools[] = [
  seed,
  { ...seed, concurrency: 8, orchestrator: 8 },
  { ...seed, concurrency: 16, orchestrator: 16 },
  { ...seed, concurrency: 256, orchestrator: 256 },
  { ...seed, unfinished: 32 },
  { ...seed, unfinished: 64 },
  { ...seed, unfinished: 512 },
  { ...seed, partitions: 1 },
  { ...seed, partitions: 3 },
  { ...seed, partitions: 30 },
]

function optionsFor({ concurrency, orchestrator, unfinished, partitions }: Pools): Options {
  const consumers = pooled.map((name) => [name, { CONSUMER_CONCURRENCY: `${concurrency}` }])
  return {
    partitions,
    env: {
      ...Object.fromEntries(consumers),
      orchestrator: {
        CONSUMER_CONCURRENCY: `${orchestrator}`,
        MAX_UNFINISHED_SAGAS: `${unfinished}`,
      },
    },
  }
}

/** Runs the burst on a stack of its own, warm, and reconciles. Throws when an invariant does not hold. */
async function burstOn<T>(
  options: Options,
  { settings, progress, signal }: Deps,
  read: (started: Started, burst: Burst) => Promise<T>,
): Promise<T> {
  const started = await startOwnTarget({ ...options, signal })
  try {
    const { target } = started
    await using open = new AsyncDisposableStack()
    const ends = open.adopt(await connectEnds(target.databases.purchase), (one) => one.close())
    const context = { target, settings, ends, progress }
    await buy(context, 'warm-up', { purchases: settings.warmUp, inFlight: 16 })
    const { purchases, inFlight } = settings
    const { burst } = await buy(context, 'burst', { purchases, inFlight })
    const report = await reconcile(target)
    if (!report.ok) {
      printReport(report)
      throw new Error('no result: an invariant is broken')
    }
    return await read(started, burst)
  } finally {
    await started.close()
  }
}

const ms = (value: number) => `${Math.round(value)}`.padStart(6)
const rate = ({ completedPerSecond }: Burst) => `${completedPerSecond.toFixed(1)} /s`.padStart(9)

async function comparePools(deps: Deps): Promise<(string | number)[][]> {
  const rows: (string | number)[][] = [
    [
      'services',
      'orchestrator',
      'sagas',
      'partitions',
      '     rate',
      '   p50',
      '   p99',
      'POST p99',
    ],
  ]
  for (const pools of poolSizes) {
    const { concurrency, orchestrator, unfinished, partitions } = pools
    deps.progress.say(
      `pools ${concurrency}/${orchestrator}/${unfinished}, ${partitions} partitions`,
    )
    const row = await burstOn(optionsFor(pools), deps, async (_, burst) => [
      ...[concurrency, orchestrator, unfinished, partitions].map((size) => `${size}`),
      rate(burst),
      ms(burst.toTerminal.p50),
      ms(burst.toTerminal.p99),
      ms(burst.post.p99),
    ])
    rows.push(row)
  }
  return rows
}

async function compareReplicas(deps: Deps): Promise<(string | number)[][]> {
  const rows: (string | number)[][] = [
    ['replicas', '     rate', 'gRPC calls of product', 'uneven', 'commands of product, order'],
  ]
  for (const count of [1, 2, 3]) {
    deps.progress.say(`product and order with ${count} each`)
    const replicas = { product: count, order: count }
    const row = await burstOn({ replicas }, deps, async ({ stack }, burst) => {
      const product = await readReplicaLoads(stack, 'product')
      const order = await readReplicaLoads(stack, 'order')
      const calls = product.map(({ grpcCalls }) => grpcCalls)
      const commands = (loads: typeof product) => loads.map((one) => one.commands).join(' + ')
      return [
        `${count}`,
        rate(burst),
        calls.join(' + '),
        `${(unevenness(calls) * 100).toFixed(1)} %`,
        `${commands(product)}, ${commands(order)}`,
      ]
    })
    rows.push(row)
  }
  return rows
}

type StudyResult = {
  rows: (string | number)[][]
  /** Why the study failed; nothing when it did not. */
  failures: string[]
  figures?: VolumeFigures | Measured[]
}

const studies: Record<Study, (deps: Deps) => Promise<StudyResult>> = {
  pools: async (deps) => ({ rows: await comparePools(deps), failures: [] }),
  scaling: async (deps) => ({ rows: await compareReplicas(deps), failures: [] }),
  fairness: async ({ settings, ...deps }) => {
    // Of fewer than a hundred, p99 would be the slowest one.
    const sizes = { samples: 2 * settings.latencies, backlog: settings.longPurchases }
    const found = await compareNeighbours({ ...deps, ...sizes })
    return { rows: fairnessRows(found), failures: fairnessFailures(found) }
  },
  tracing: async (deps) => {
    const measure = (options: Options) => burstOn(options, deps, async (_, burst) => burst)
    const measured = await measureTracing(measure, deps.progress.say)
    return { rows: tracingRows(measured), failures: [], figures: measured }
  },
  volume: async (deps) => {
    const figures = await measureVolume(deps)
    if (!figures.reconciler.ok) console.log(figures.reconciler.output)
    return { rows: volumeRows(figures), failures: volumeFailures(figures), figures }
  },
}

/** Runs a study, and prints its table and why it failed. */
export async function runStudy(study: Study, deps: Deps): Promise<StudyResult> {
  const result = await studies[study](deps)
  const { purchases, inFlight } = deps.settings
  console.log(
    `\n${study}: ${purchases} purchases, ${inFlight} in flight\n${formatTable(result.rows)}`,
  )
  if (result.failures.length > 0) {
    console.log(`\n${study} FAILED:\n${result.failures.map((why) => `  ${why}`).join('\n')}`)
  }
  return result
}
