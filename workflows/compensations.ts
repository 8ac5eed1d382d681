// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import { CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow'
import type { Activities } from '../activities/index.ts'
import type { UndoState } from '../shared/contracts/saga.ts'
import { commandSteps, type DoName, type UndoName, undoOf } from '../shared/contracts/steps.ts'
import { initialRetry, type StepSettings, slowRetry, undoPauseOf } from './run-step.ts'
import type { StepLog } from './step-log.ts'
import type { Timeline } from './timeline.ts'

type Undo = {
  name: UndoName
  state: UndoState['state']
  /** How often a stuck one was begun anew, and what ends the round that runs. */
  round: number
  running?: CancellationScope
}

const stepOf = (name: UndoName): string => commandSteps[name].step

/**
 * The undo stack of a saga. An undo is added before its step runs, since a step that timed out may have taken
 * effect; so an undo must tolerate being called twice or for nothing.
 */
export function createCompensations(
  purchaseId: string,
  settings: StepSettings,
  steps: StepLog,
  timeline: Timeline,
) {
  const undos: Undo[] = []
  const call = (name: UndoName, activities: Activities) =>
    timeline.time(
      stepOf(name),
      () => activities[name](purchaseId),
      (error) => (isCancellation(error) ? 'asked for again' : 'failed'),
    )

  function add(name: UndoName): void {
    if (undos.some((undo) => undo.name === name)) return
    undos.unshift({ name, state: 'registered', round: 1 })
  }

  /** The stuck undo of a step, or with null all of them. */
  function stuck(step: string | null = null): Undo[] {
    return undos.filter(
      ({ name, state }) => state === 'stuck' && (step === null || stepOf(name) === step),
    )
  }

  /** One activity that is retried without limit, so the history does not grow; a new one when an operator asks. */
  async function runUntilDone(undo: Undo): Promise<void> {
    while (undo.state === 'stuck') {
      undo.running = new CancellationScope()
      try {
        const reply = await undo.running.run(() =>
          call(undo.name, slowRetry(undo.name, settings, undo.round)),
        )
        steps.answered(undo.name, reply)
        undo.state = 'done'
      } catch (error) {
        if (!isCancellation(error)) await sleep(undoPauseOf(settings))
        undo.round += 1
      }
    }
  }

  return {
    add,
    /** For a purchase that stops before its end: an earlier run may have sent steps that this run has not taken. */
    addAll(steps: readonly DoName[]): void {
      for (const step of steps) add(undoOf[step])
    },
    /**
     * Runs every undo in reverse order and awaits each, even if the workflow is cancelled meanwhile. One that keeps
     * failing is set aside, so that it never stops the others. True when all are done, false when some are stuck.
     */
    run(): Promise<boolean> {
      return CancellationScope.nonCancellable(async () => {
        for (const undo of undos) {
          undo.state = 'running'
          try {
            steps.answered(undo.name, await call(undo.name, initialRetry(undo.name, settings)))
            undo.state = 'done'
          } catch (error) {
            log.error('undo stuck', { step: stepOf(undo.name), error: String(error) })
            undo.state = 'stuck'
          }
        }
        return stuck().length === 0
      })
    },
    /** Tries the stuck undos side by side until each is done or abandoned. True when none was abandoned. */
    runStuck(): Promise<boolean> {
      return CancellationScope.nonCancellable(async () => {
        await Promise.all(stuck().map(runUntilDone))
        return undos.every(({ state }) => state === 'done')
      })
    },
    /** The purchase is paid for, so nothing is undone any more. */
    release(): void {
      for (const undo of undos) undo.state = 'not_needed'
    },
    retry(step: string | null): void {
      for (const undo of stuck(step)) undo.running?.cancel()
    },
    abandon(step: string | null): void {
      for (const undo of stuck(step)) {
        undo.state = 'resolved'
        undo.running?.cancel()
      }
    },
    stuckSteps: (step: string | null = null): string[] =>
      stuck(step).map(({ name }) => stepOf(name)),
    states: (): UndoState[] => undos.map(({ name, state }) => ({ step: stepOf(name), state })),
  }
}

export type Compensations = ReturnType<typeof createCompensations>
