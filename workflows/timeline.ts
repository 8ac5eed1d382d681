// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import { setCurrentDetails } from '@temporalio/workflow'

type Entry = { outcome: string; tookMs: number | undefined }

/**
 * How long each step takes, as the current details in the Temporal Web UI: a step on the fast path leaves only a marker
 * in the history. It costs nothing there: the server queries a worker when a user opens the page.
 */
export function createTimeline() {
  const entries = new Map<string, Entry>()

  function show(): void {
    const lines = [...entries].map(([step, { outcome, tookMs }]) =>
      tookMs === undefined
        ? `- \`${step}\` ${outcome}`
        : `- \`${step}\` ${outcome} in ${tookMs} ms`,
    )
    setCurrentDetails(lines.join('\n'))
  }

  return {
    /**
     * Runs a step or an undo and records its time, in workflow time: Temporal keeps it, so a replay shows the same. An
     * undo that runs again replaces its entry. `outcomeOf` names a failure.
     */
    async time<T>(
      step: string,
      run: () => Promise<T>,
      outcomeOf: (error: unknown) => string,
    ): Promise<T> {
      const beganAt = Date.now()
      const entry: Entry = { outcome: 'in progress', tookMs: undefined }
      entries.delete(step)
      entries.set(step, entry)
      show()
      try {
        const result = await run()
        entry.outcome = 'done'
        return result
      } catch (error) {
        entry.outcome = outcomeOf(error)
        throw error
      } finally {
        entry.tookMs = Date.now() - beganAt
        show()
      }
    },
  }
}

export type Timeline = ReturnType<typeof createTimeline>
