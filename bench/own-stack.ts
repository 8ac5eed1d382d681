import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OwnStack, StackOptions } from '../scripts/start-stack.ts'
import { addressesOf } from './addresses.ts'
import type { Target } from './run.ts'

export type OwnTarget = {
  target: Target
  stack: OwnStack
  /** From nothing but the installed engines to a shop that answers. */
  coldStartSeconds: number
  close(): Promise<void>
}

/** A whole shop for one run, on free ports and with no data; gone when it is closed. */
export async function startOwnTarget(
  options: Omit<StackOptions, 'dataDir' | 'portOffset'>,
): Promise<OwnTarget> {
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-bench-'))
  // Loaded here: where a shop is given, there need be nothing to start one with.
  const { startStack } = await import('../scripts/start-stack.ts')
  const startedAt = Date.now()
  const stack = await startStack({ ...options, dataDir, portOffset: 'free' })
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
