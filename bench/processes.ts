import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessStatus, StackStatus } from '../scripts/stack/client.ts'
import { cpuSeconds } from '../scripts/stack/process-use.ts'

/** What a process used while it was watched. A replica counts for itself. */
export type ProcessUse = {
  name: string
  kind: ProcessStatus['kind'] | 'benchmark'
  cpuSeconds: number
  /** MB in the first and the last sample, and the maximum of all samples. */
  rssStart: number
  rssEnd: number
  rssMax: number
}

export type Use = {
  processes: ProcessUse[]
  /** The most that all services used at one moment, MB. */
  servicesRssMax: number
}

const lookMs = 2_000

type Look = { name: string; kind: ProcessUse['kind']; pid: number; cpu: number; rss: number }

async function look(status: () => Promise<StackStatus>): Promise<Look[]> {
  const { processes } = await status()
  const running = processes.flatMap(({ pid, ...rest }) => (pid === null ? [] : [{ ...rest, pid }]))
  const own = process.cpuUsage()
  return [
    ...running.map(({ name, kind, pid, rssMb }) => {
      return { name, kind, pid, cpu: cpuSeconds(pid), rss: rssMb }
    }),
    {
      name: 'benchmark',
      kind: 'benchmark',
      pid: process.pid,
      cpu: (own.user + own.system) / 1_000_000,
      rss: Math.round(process.memoryUsage.rss() / 1024 / 1024),
    },
  ]
}

/** Adds up the samples of each process, across its restarts. */
export function useOf(looks: Look[][]): Use {
  const names = [...new Set(looks.flat().map(({ name }) => name))]
  const processes = names.map((name): ProcessUse => {
    const own = looks.flatMap((one) => one.find((other) => other.name === name) ?? [])
    const cpu = own.reduce((sum, now, index) => {
      const before = own[index - 1]
      if (!before) return sum
      return sum + (before.pid === now.pid ? now.cpu - before.cpu : now.cpu)
    }, 0)
    const rss = own.map((one) => one.rss)
    return {
      name,
      kind: own[0]?.kind ?? 'engine',
      cpuSeconds: cpu,
      rssStart: rss[0] ?? 0,
      rssEnd: rss.at(-1) ?? 0,
      rssMax: Math.max(...rss),
    }
  })
  const services = looks.map((one) =>
    one.reduce((sum, { kind, rss }) => (kind === 'service' ? sum + rss : sum), 0),
  )
  return { processes, servicesRssMax: Math.max(0, ...services) }
}

/** Samples processes while `work` runs; without a launcher that knows them, there are no samples. */
export async function watching<T>(
  status: (() => Promise<StackStatus>) | undefined,
  work: () => Promise<T>,
): Promise<{ result: T; use: Use | undefined }> {
  if (!status) return { result: await work(), use: undefined }
  const looks = [await look(status)]
  const ended = new AbortController()
  const watch = async () => {
    for (;;) {
      await sleep(lookMs, undefined, { signal: ended.signal }).catch(() => undefined)
      if (ended.signal.aborted) return
      looks.push(await look(status))
    }
  }
  const watched = watch()
  try {
    const result = await work()
    ended.abort()
    await watched
    looks.push(await look(status))
    return { result, use: useOf(looks) }
  } finally {
    ended.abort()
  }
}
