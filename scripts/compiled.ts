import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { baseEnv } from './environment.ts'

const checkout = join(import.meta.dirname, '..')

/** Types are stripped once for all processes and starts, which spares each of them the program that does it. */
const compileCache = join(checkout, 'node_modules', '.cache', 'compile')

/**
 * What keeps a service small: where there is much memory, V8 lets garbage lie until much is used. Not
 * `--optimize-for-size`: it holds the young generation at 1 MB, and a read of a product took 1.6 times the CPU.
 */
export const nodeFlags = [
  '--disable-warning=TimeoutNegativeWarning',
  '--max-semi-space-size=4',
  '--max-old-space-size=256',
  '--memory-saver-mode',
  '--heap-growing-percent=30',
  '--v8-pool-size=1',
]

/** The environment that goes with them: what is freed goes back to the system, and two threads share their arenas. */
export const nodeEnv = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '131072',
  NODE_COMPILE_CACHE: compileCache,
}

/** Compiles all services in one process, once for a checkout: else each of them would do so in its first run. */
export async function compileServices(): Promise<void> {
  if (existsSync(compileCache)) return
  await promisify(execFile)(process.execPath, [...nodeFlags, 'scripts/load-services.ts'], {
    cwd: checkout,
    env: { ...baseEnv(), ...nodeEnv },
    timeout: 60_000,
  })
}
