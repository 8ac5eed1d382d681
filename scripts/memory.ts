import { readFile } from 'node:fs/promises'

async function kilobytes(pid: string, field: string): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)
}

/** The processes that a process started and that run. */
export async function childrenOf(pid: string): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean)
}

/**
 * The resident memory of a process with its children. Of a child only what it does not share is counted: PostgreSQL's
 * connections all map the same buffers.
 */
export async function rssMb(pid: number): Promise<number> {
  try {
    const own = await kilobytes(String(pid), 'VmRSS')
    const children = await childrenOf(String(pid))
    const theirs = await Promise.all(children.map((child) => kilobytes(child, 'RssAnon')))
    return Math.round(theirs.reduce((sum, size) => sum + size, own) / 1024)
  } catch {
    return 0
  }
}
