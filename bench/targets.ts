import { allCompleted } from './figures.ts'
import type { RunResult } from './run.ts'
import { type Spread, spreadOf } from './stats.ts'

/** One figure that is promised (`must`) and one that is aimed at. */
export type Goal = {
  name: string
  unit: string
  better: 'more' | 'less'
  must: number
  aim: number
  digits: number
  /** Undefined when the run did not measure it. */
  of: (run: RunResult) => number | undefined
}

export type Mark = 'aim' | 'must' | 'MISSED'
export type Judged = { goal: Goal; spread: Spread; runs: number; mark: Mark }

/** Per saga, over all it sent. */
const share = (part: number, of: number) => (of === 0 ? 0 : part / of)

function worstGrowth(run: RunResult): number | undefined {
  const services = run.long?.use?.processes.filter(({ kind }) => kind === 'service')
  if (!services?.length) return undefined
  return Math.max(...services.map(({ rssStart, rssEnd }) => rssEnd - rssStart))
}

function servicesRss({ burst, long }: RunResult): number | undefined {
  const seen = [burst, long].flatMap((one) => one?.use?.servicesRssMax ?? [])
  return seen.length > 0 ? Math.max(...seen) : undefined
}

/** What all services may take together under load, MB. */
export const maxServicesRssMb = 1_300

/** What the native stack promises on two cores with everything on them. Rates count purchases that COMPLETED. */
export const goals: Goal[] = [
  {
    name: 'burst, all COMPLETED',
    unit: '/s',
    better: 'more',
    must: 25,
    aim: 40,
    digits: 1,
    of: ({ burst }) => burst && (allCompleted(burst) ? burst.completedPerSecond : 0),
  },
  {
    name: 'POST p99 in the burst',
    unit: 'ms',
    better: 'less',
    must: 400,
    aim: 250,
    digits: 0,
    of: ({ burst }) => burst?.post.p99,
  },
  {
    name: 'one at a time: POST to COMPLETED, p50',
    unit: 'ms',
    better: 'less',
    must: 180,
    aim: 100,
    digits: 0,
    of: ({ latency }) => latency?.toTerminal.p50,
  },
  {
    name: 'open loop: time to terminal, p99',
    unit: 'ms',
    better: 'less',
    must: 2_000,
    aim: 500,
    digits: 0,
    of: ({ open }) => open && (allCompleted(open) ? open.toTerminal.p99 : Number.POSITIVE_INFINITY),
  },
  {
    name: 'burst / ceiling (bare Temporal, plain activities)',
    unit: '',
    better: 'more',
    must: 0.65,
    aim: 1,
    digits: 2,
    of: ({ burst, ceiling }) => burst && ceiling && burst.completedPerSecond / ceiling.plain,
  },
  {
    name: 'commands sent again per saga, in the burst',
    unit: '%',
    better: 'less',
    must: 1,
    aim: 0,
    digits: 1,
    of: ({ costs }) => costs && share(costs.kafka.sentAgain, costs.sagas) * 100,
  },
  {
    name: 'ten times the burst: rate against the burst',
    unit: '',
    better: 'more',
    must: 0.9,
    aim: 0.98,
    digits: 2,
    of: ({ burst, long }) => burst && long && long.completedPerSecond / burst.completedPerSecond,
  },
  {
    name: 'ten times the burst: most that a service grew',
    unit: 'MB',
    better: 'less',
    must: 50,
    aim: 20,
    digits: 0,
    of: worstGrowth,
  },
  {
    name: 'RSS of all services under load',
    unit: 'MB',
    better: 'less',
    must: maxServicesRssMb,
    aim: 800,
    digits: 0,
    of: servicesRss,
  },
  {
    name: 'product by id through Traefik, warm cache',
    unit: '/s',
    better: 'more',
    must: 3_000,
    aim: 6_000,
    digits: 0,
    of: ({ reads }) => reads && (reads.failed === 0 ? reads.perSecond : 0),
  },
  {
    name: 'cold start, engines cached',
    unit: 's',
    better: 'less',
    must: 30,
    aim: 15,
    digits: 1,
    of: ({ coldStartSeconds }) => coldStartSeconds,
  },
]

export function markOf(
  { better, must, aim }: Pick<Goal, 'better' | 'must' | 'aim'>,
  value: number,
) {
  const reaches = (limit: number) => (better === 'more' ? value >= limit : value <= limit)
  if (reaches(aim)) return 'aim'
  return reaches(must) ? 'must' : 'MISSED'
}

/** The medians of what the runs measured, marked. A goal that no run measured is left out. */
export function judge(runs: RunResult[]): Judged[] {
  return goals.flatMap((goal) => {
    const values = runs.flatMap((run) => goal.of(run) ?? [])
    if (values.length === 0) return []
    const spread = spreadOf(values)
    return [{ goal, spread, runs: values.length, mark: markOf(goal, spread.median) }]
  })
}

export function formatValue({ unit, digits }: Goal, value: number): string {
  const number = Number.isFinite(value) ? value.toFixed(digits) : 'never'
  return unit ? `${number} ${unit}` : number
}
