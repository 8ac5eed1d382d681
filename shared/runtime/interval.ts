import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from './logger.ts'

type Sweep = { intervalMs: number; run: () => PromiseLike<unknown> }

/** The sweeps of a service, which are closed together. */
export function startSweeps(logger: Logger, ...sweeps: Sweep[]) {
  const started = sweeps.map((sweep) => startSweep({ ...sweep, logger }))
  return {
    async close(): Promise<void> {
      await Promise.all(started.map((sweep) => sweep.close()))
    },
  }
}

/**
 * Calls `run` periodically, `intervalMs` after the last call ended, so runs never overlap. An error of a run is logged,
 * and the next run follows. `close` starts no new run and waits for a running one.
 */
export function startSweep({ intervalMs, run, logger }: Sweep & { logger: Logger }) {
  const stopping = new AbortController()
  const { signal } = stopping

  async function repeat() {
    for (;;) {
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      try {
        await run()
      } catch (err) {
        logger.error({ err }, 'sweep failed')
      }
    }
  }
  const stopped = repeat()

  return {
    async close(): Promise<void> {
      stopping.abort()
      await stopped
    },
  }
}
