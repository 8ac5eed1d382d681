/** One try of a rate. */
export type Trial = { rate: number; ok: boolean }

export type SearchOptions = {
  /** The rate that is tried first. */
  first: number
  /** Ends when the lowest bad rate is at most this much above the highest good one: 0.05 is 5 %. */
  tolerance?: number
  maxTrials?: number
  /** Below this nothing is tried. */
  lowest?: number
}

const growth = 1.5

/**
 * Finds the highest rate that `tryRate` sustains: by half as much again until one is too high, or down by half until
 * one is not, then halving what lies between. `best` is 0 when every rate tried was too high.
 */
export async function findHighestRate(
  tryRate: (rate: number) => Promise<boolean>,
  { first, tolerance = 0.05, maxTrials = 10, lowest = 1 }: SearchOptions,
): Promise<{ best: number; trials: Trial[] }> {
  const trials: Trial[] = []
  let good = 0
  let bad = Number.POSITIVE_INFINITY
  let rate = first
  while (trials.length < maxTrials && rate >= lowest) {
    const ok = await tryRate(rate)
    trials.push({ rate, ok })
    if (ok) good = Math.max(good, rate)
    else bad = Math.min(bad, rate)
    if (good > 0 && bad <= good * (1 + tolerance)) break
    if (bad === Number.POSITIVE_INFINITY) rate = Math.round(good * growth)
    else if (good === 0) rate = Math.round(bad / 2)
    else rate = Math.round((good + bad) / 2)
    if (trials.some((trial) => trial.rate === rate)) break
  }
  return { best: good, trials }
}
