import { execFile } from 'node:child_process'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export type Machine = {
  cpu: string
  cores: number
  memoryGb: number
  system: string
  node: string
  /** Load average of the last minute before the first run: a busy machine gives other figures. */
  loadBefore: number
  commit: string
}

async function readCommit(): Promise<string> {
  const cwd = join(import.meta.dirname, '..')
  const git = async (...args: string[]) => (await execute('git', args, { cwd })).stdout.trim()
  try {
    const commit = await git('rev-parse', '--short=12', 'HEAD')
    const changes = await git('status', '--porcelain')
    return changes ? `${commit} with changes` : commit
  } catch {
    return 'unknown'
  }
}

/** The machine, without which a figure has no meaning. */
export async function readMachine(): Promise<Machine> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    system: `Linux ${release()}`,
    node: process.version,
    loadBefore: Number(loadavg()[0]?.toFixed(2)),
    commit: await readCommit(),
  }
}
