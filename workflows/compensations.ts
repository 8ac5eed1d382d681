// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import { CancellationScope, log } from '@temporalio/workflow'
import { steps } from '../shared/contracts/steps.ts'
import { type Call, type StepName, type StepSettings, undoOnceMore, undoSoon } from './steps.ts'

/**
 * The undo stack of a saga. An undo is added before its step runs, since a step that timed out may have taken
 * effect; so an undo must bear being called twice or for nothing.
 */
export function createCompensations(settings: StepSettings) {
  const undos: { name: StepName; call: Call }[] = []
  const stuck: typeof undos = []

  return {
    add(name: StepName, call: Call): void {
      undos.unshift({ name, call })
    },
    /**
     * Runs every undo in reverse order and awaits each, whatever the workflow is told meanwhile. One that keeps
     * failing is set aside, so that it never stops the others. True when all are done, false when some are stuck.
     */
    run(): Promise<boolean> {
      return CancellationScope.nonCancellable(async () => {
        for (const undo of undos) {
          try {
            await undo.call(undoSoon(undo.name, settings))
          } catch (error) {
            log.error('undo is stuck', { step: steps[undo.name], error: String(error) })
            stuck.push(undo)
          }
        }
        return stuck.length === 0
      })
    },
    /** Tries the stuck undos side by side, without end. */
    async runStuck(): Promise<void> {
      await CancellationScope.nonCancellable(() =>
        Promise.all(stuck.map(({ name, call }) => call(undoOnceMore(name, settings)))),
      )
    },
  }
}
