/** A series as Prometheus answers it: its labels, and its values by seconds since 1970. */
export type Answered = { metric: Record<string, string>; values: [at: number, value: string][] }

/** A line of a panel: a value for each point of time, NaN where there is none. */
export type Series = { name: string; values: number[] }

/** The name of a series in a legend such as `{{group}} {{topic}}`. */
export function nameOf(legend: string, labels: Record<string, string>): string {
  return legend.replace(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '').trim()
}

/** The series of a query at the given points of time. Those without a finite value are left out: they have no line. */
export function seriesOf(answered: Answered[], legend: string, times: number[]): Series[] {
  return answered
    .map(({ metric, values }) => {
      const byTime = new Map(values.map(([at, value]) => [at, Number(value)]))
      return {
        name: nameOf(legend, metric),
        values: times.map((time) => byTime.get(time) ?? Number.NaN),
      }
    })
    .filter(({ values }) => values.some(Number.isFinite))
}

/** The largest value of a series that has one. */
export const peakOf = ({ values }: Series) => Math.max(...values.filter(Number.isFinite))

/** The last value of a series that has one. */
export const lastOf = ({ values }: Series) => values.findLast(Number.isFinite) ?? 0
