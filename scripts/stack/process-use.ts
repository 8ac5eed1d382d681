import { readFileSync } from 'node:fs'

/*
 * Process information of the kernel. These files are generated when they are read, so a synchronous read does not wait
 * for a disk; an asynchronous one takes 13 times the CPU.
 */

function kilobytes(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)
}

/** The processes that a process started and that run. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean).map(Number)
}

/**
 * The resident memory of a process with its children. Of a child only what it does not share is counted: PostgreSQL's
 * connections all map the same buffers. 0 when it has ended.
 */
export function rssMb(pid: number): number {
  try {
    const theirs = childrenOf(pid).map((child) => kilobytes(child, 'RssAnon'))
    const all = theirs.reduce((sum, size) => sum + size, kilobytes(pid, 'VmRSS'))
    return Math.round(all / 1024)
  } catch {
    return 0
  }
}

const ticksPerSecond = 100

/** Fields 14 to 17 of /proc/<pid>/stat, in seconds: its own time and that of children it has waited for. */
export function parseCpuSeconds(stat: string): number {
  // The name of the program, in brackets, may hold spaces and brackets itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return ticks / ticksPerSecond
}

/** The CPU that a process and its children have used. 0 when it has ended. */
export function cpuSeconds(pid: number): number {
  try {
    const own = parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    return childrenOf(pid)
      .map(cpuSeconds)
      .reduce((sum, seconds) => sum + seconds, own)
  } catch {
    return 0
  }
}
