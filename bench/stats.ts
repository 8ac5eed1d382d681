/** The smallest value that at least `percent` of all values do not exceed (nearest rank); NaN of no values. */
export function percentile(values: number[], percent: number): number {
  const sorted = Float64Array.from(values).sort()
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}

export type Summary = { p50: number; p95: number; p99: number; max: number }

export function summarize(values: number[]): Summary {
  return {
    p50: percentile(values, 50),
    p95: percentile(values, 95),
    p99: percentile(values, 99),
    max: percentile(values, 100),
  }
}

/** How often each value occurs, most often first. */
export function countBy<T>(items: T[], key: (item: T) => string): [string, number][] {
  const groups = [...Map.groupBy(items, key)].map(([name, own]): [string, number] => [
    name,
    own.length,
  ])
  return groups.sort(([, a], [, b]) => b - a)
}

export type Spread = { median: number; low: number; high: number }

/** The middle value (of an even number, the mean of the two in the middle) and the outermost ones; NaN of no values. */
export function spreadOf(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number) => sorted[index] ?? Number.NaN
  const half = (sorted.length - 1) / 2
  return {
    median: (at(Math.floor(half)) + at(Math.ceil(half))) / 2,
    low: at(0),
    high: at(sorted.length - 1),
  }
}
