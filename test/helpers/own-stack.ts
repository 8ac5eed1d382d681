import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type StackOptions, startStack } from '../../scripts/stack/start.ts'

/** A whole stack for one test file, for tests that break things or count everything there is. */
export async function startOwnStack(options: Omit<StackOptions, 'dataDir' | 'portOffset'> = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-drill-'))
  const stack = await startStack({ ...options, dataDir, portOffset: 'free' })
  return {
    stack,
    /** `keep`: keeps its data for inspection. */
    async close({ keep = false } = {}) {
      await stack.stop()
      if (!keep) await rm(dataDir, { recursive: true, force: true })
    },
  }
}

export type OwnStack = Awaited<ReturnType<typeof startOwnStack>>
