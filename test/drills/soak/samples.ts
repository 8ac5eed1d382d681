import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessStatus, StackStatus } from '../../../scripts/stack/client.ts'

/** A process at one moment; `minute` since the soak began. Only services say how many timers they have. */
export type Sample = {
  minute: number
  pid: number
  rssMb: number
  files: number
  timers: number | undefined
}
export type Samples = Map<string, Sample[]>

/** How a figure changes, by the least squares: units of `value` in an hour. */
export function slopePerHour(samples: { minute: number; value: number }[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const minute = mean(samples.map((one) => one.minute))
  const value = mean(samples.map((one) => one.value))
  const covariance = samples.reduce(
    (sum, one) => sum + (one.minute - minute) * (one.value - value),
    0,
  )
  const variance = samples.reduce((sum, one) => sum + (one.minute - minute) ** 2, 0)
  return variance === 0 ? 0 : (covariance / variance) * 60
}

/** The longest time in which a process was not restarted, without its first third, in which it warms up. */
export function steadyPart(samples: Sample[]): Sample[] {
  const lives = [...Map.groupBy(samples, ({ pid }) => pid).values()]
  const longest = lives.toSorted((a, b) => b.length - a.length)[0] ?? []
  return longest.slice(Math.floor(longest.length / 3))
}

function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}

const metricsDeadlineMs = 2_000

/** Undefined for an engine, and while a service does not answer. */
async function timersOf({ kind, ports }: ProcessStatus): Promise<number | undefined> {
  const [port] = ports
  if (kind !== 'service' || port === undefined) return undefined
  try {
    const signal = AbortSignal.timeout(metricsDeadlineMs)
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal })
    return readTimers(await response.text())
  } catch {
    return undefined
  }
}

/** Reads the timers that wait from the metrics of a process; undefined if they do not tell. */
export function readTimers(metrics: string): number | undefined {
  const found = /^nodejs_active_resources\{type="Timeout"[^}]*\} (\d+)$/m.exec(metrics)
  return found ? Number(found[1]) : undefined
}

/** Samples every process until `ended` is aborted. */
export async function sampleProcesses(
  status: () => Promise<StackStatus>,
  { everyMs, ended }: { everyMs: number; ended: AbortSignal },
): Promise<Samples> {
  const samples: Samples = new Map()
  const startedAt = performance.now()
  while (!ended.aborted) {
    const { processes } = await status()
    const minute = (performance.now() - startedAt) / 60_000
    const timers = await Promise.all(processes.map(timersOf))
    for (const [index, { name, pid, rssMb }] of processes.entries()) {
      if (pid === null) continue
      const own = samples.get(name) ?? []
      own.push({ minute, pid, rssMb, files: openFiles(pid), timers: timers[index] })
      samples.set(name, own)
    }
    await sleep(everyMs, undefined, { signal: ended }).catch(() => undefined)
  }
  return samples
}
