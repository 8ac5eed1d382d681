import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { baseEnv } from './environment.ts'
import type { ServiceName } from './services.ts'

const checkout = join(import.meta.dirname, '../..')

/** Types are stripped once for all processes and restarts, so that no process loads the stripper. */
const compileCache = join(checkout, 'node_modules', '.cache', 'compile')

const commonFlags = [
  '--disable-warning=TimeoutNegativeWarning',
  '--max-old-space-size=256',
  '--v8-pool-size=1',
]

/**
 * Flags that keep a process small: with much free memory, V8 collects garbage late. `--optimize-for-size` is not used:
 * it limits the young generation to 1 MB, and a read of a product took 1.6 times the CPU.
 */
export const nodeFlags = [
  ...commonFlags,
  '--max-semi-space-size=4',
  '--memory-saver-mode',
  '--heap-growing-percent=30',
]

/** The services that do most for a purchase: garbage costs them a tenth of their CPU otherwise, for 35 MB less each. */
const busy: ReadonlySet<string> = new Set<ServiceName>(['orchestrator', 'purchase', 'payment'])

/** The flags of a service. */
export function flagsOf(name: ServiceName): string[] {
  return busy.has(name) ? [...commonFlags, '--max-semi-space-size=16'] : nodeFlags
}

/** The environment that goes with them: what is freed goes back to the system, and two threads share their arenas. */
export const nodeEnv = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '131072',
  NODE_COMPILE_CACHE: compileCache,
}

/** Compiles all services in one process, once per checkout; otherwise each of them would do so in its first run. */
export async function compileServices(): Promise<void> {
  if (existsSync(compileCache)) return
  await promisify(execFile)(process.execPath, [...nodeFlags, 'scripts/stack/load-services.ts'], {
    cwd: checkout,
    env: { ...baseEnv(), ...nodeEnv },
    timeout: 300_000,
  })
}
