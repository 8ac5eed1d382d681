import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export type ReconcilerFigures = { ok: boolean; seconds: number; peakMb: number; output: string }

const checkout = join(import.meta.dirname, '../..')
const lookMs = 100
const deadlineMs = 20 * 60 * 1_000

/** Runs `npm run reconcile` on a stack as a process of its own, and reads from `/proc` how much memory it took. */
export async function measureReconciler(dataDir: string): Promise<ReconcilerFigures> {
  const startedAt = Date.now()
  const child = spawn(process.execPath, [...process.execArgv, 'bench/reconcile.ts'], {
    cwd: checkout,
    env: { ...process.env, STACK_DATA: dataDir, NODE_OPTIONS: nodeOptions() },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: deadlineMs,
  })
  let peakMb = 0
  let output = ''
  child.stdout.on('data', (text) => {
    output += text
  })
  const looking = setInterval(() => {
    peakMb = Math.max(peakMb, peakOf(child.pid))
  }, lookMs)
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    return { ok: code === 0, seconds: (Date.now() - startedAt) / 1_000, peakMb, output }
  } finally {
    clearInterval(looking)
  }
}

/** Those of `npm run reconcile`, which bound its heap: Node would let garbage pile up where it sees much memory. */
function nodeOptions(): string {
  const { scripts } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'))
  const [, options = ''] = /NODE_OPTIONS='([^']*)'/.exec(scripts.reconcile) ?? []
  return options
}

/** The most resident memory that a process has had, MB; 0 when it has ended. */
function peakOf(pid: number | undefined): number {
  try {
    const [, kb] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Math.round(Number(kb ?? 0) / 1024)
  } catch {
    return 0
  }
}
