import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addressesOf } from '../scripts/stack/addresses.ts'
import type { OwnStack, StackOptions } from '../scripts/stack/start.ts'
import type { Target } from './run.ts'

export type OwnTarget = {
  target: Target
  stack: OwnStack
  /** From installed engines only to a shop that answers. */
  coldStartSeconds: number
  close(): Promise<void>
}

/** A whole shop for one run, on free ports and with no data; gone when it is closed. */
export async function startOwnTarget(
  options: Omit<StackOptions, 'dataDir' | 'portOffset'>,
): Promise<OwnTarget> {
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-bench-'))
  // Loaded here, because a run against a given shop does not need the launcher.
  const { startStack } = await import('../scripts/stack/start.ts')
  const startedAt = Date.now()
  // The long burst is one customer's.
  const env = { ...options.env, purchase: { MAX_UNFINISHED_PER_CUSTOMER: '50000' } }
  const stack = await startStack({ ...options, env, dataDir, portOffset: 'free' })
  return {
    target: { ...addressesOf(stack), status: stack.status },
    stack,
    coldStartSeconds: (Date.now() - startedAt) / 1_000,
    async close() {
      await stack.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
