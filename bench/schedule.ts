import { setTimeout as sleep } from 'node:timers/promises'

/** When each arrival of an open loop is due, ms from its start: evenly spread, fixed before the first. */
export function arrivalTimes(perMinute: number, seconds: number): number[] {
  const count = Math.floor((perMinute * seconds) / 60)
  return Array.from({ length: count }, (_, index) => (index * 60_000) / perMinute)
}

/**
 * Starts `work` at each of the times, ascending ms from now, and never waits for it. `lateMs` is the delay of a start,
 * e.g. because this process was busy.
 */
export async function onSchedule<T>(
  times: number[],
  work: (index: number, lateMs: number) => Promise<T>,
): Promise<T[]> {
  const startedAt = performance.now()
  const begun: Promise<T>[] = []
  for (const [index, time] of times.entries()) {
    const early = startedAt + time - performance.now()
    if (early > 0) await sleep(early)
    begun.push(work(index, Math.max(0, performance.now() - startedAt - time)))
  }
  return Promise.all(begun)
}
