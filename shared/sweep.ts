import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from './logger.ts'

/**
 * Calls `run` again and again, `intervalMs` after the last call ended, so runs never overlap. What a run throws is
 * logged and the next one tries again. `close` begins no new run and waits for one that is under way.
 */
export function startSweep({
  intervalMs,
  run,
  logger,
}: {
  intervalMs: number
  run: () => Promise<void>
  logger: Logger
}) {
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
