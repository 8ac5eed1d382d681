// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import { CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow'
import type { Activities } from '../activities/index.ts'
import type { UndoState } from '../shared/contracts/saga.ts'
import { steps } from '../shared/contracts/steps.ts'
import { type StepSettings, undoOnceMore, undoPauseOf, undoSoon } from './steps.ts'

/** In the order in which their steps are taken. */
const all = ['releaseStock', 'cancelOrder', 'refundPayment'] as const
type UndoName = (typeof all)[number]
type Undo = {
  name: UndoName
  state: UndoState['state']
  /** How often a stuck one was begun anew, and what ends the round that runs. */
  round: number
  running?: CancellationScope
}

/**
 * The undo stack of a saga. An undo is added before its step runs, since a step that timed out may have taken
 * effect; so an undo must bear being called twice or for nothing.
 */
export function createCompensations(purchaseId: string, settings: StepSettings) {
  const undos: Undo[] = []
  const call = (name: UndoName, activities: Activities) => activities[name](purchaseId)

  function add(name: UndoName): void {
    if (undos.some((undo) => undo.name === name)) return
    undos.unshift({ name, state: 'registered', round: 1 })
  }

  /** The stuck undo of a step, or with null all of them. */
  function stuck(step: string | null = null): Undo[] {
    return undos.filter(
      ({ name, state }) => state === 'stuck' && (step === null || steps[name] === step),
    )
  }

  /** One activity that is tried without end, so the history does not grow; a new one when somebody asks. */
  async function runUntilDone(undo: Undo): Promise<void> {
    while (undo.state === 'stuck') {
      undo.running = new CancellationScope()
      try {
        await undo.running.run(() => call(undo.name, undoOnceMore(undo.name, settings, undo.round)))
        undo.state = 'done'
      } catch (error) {
        if (!isCancellation(error)) await sleep(undoPauseOf(settings))
        undo.round += 1
      }
    }
  }

  return {
    add,
    /** For a purchase that stops somewhere: what this run has not done another one may have asked for. */
    addAll: () => all.forEach(add),
    /**
     * Runs every undo in reverse order and awaits each, whatever the workflow is told meanwhile. One that keeps
     * failing is set aside, so that it never stops the others. True when all are done, false when some are stuck.
     */
    run(): Promise<boolean> {
      return CancellationScope.nonCancellable(async () => {
        for (const undo of undos) {
          try {
            await call(undo.name, undoSoon(undo.name, settings))
            undo.state = 'done'
          } catch (error) {
            log.error('undo is stuck', { step: steps[undo.name], error: String(error) })
            undo.state = 'stuck'
          }
        }
        return stuck().length === 0
      })
    },
    /** Tries the stuck undos side by side until each is done, or given up. True when none was given up. */
    runStuck(): Promise<boolean> {
      return CancellationScope.nonCancellable(async () => {
        await Promise.all(stuck().map(runUntilDone))
        return undos.every(({ state }) => state === 'done')
      })
    },
    retry(step: string | null): void {
      for (const undo of stuck(step)) undo.running?.cancel()
    },
    giveUp(step: string | null): void {
      for (const undo of stuck(step)) {
        undo.state = 'resolved'
        undo.running?.cancel()
      }
    },
    stuckSteps: (step: string | null = null): string[] =>
      stuck(step).map(({ name }) => steps[name]),
    states: (): UndoState[] => undos.map(({ name, state }) => ({ step: steps[name], state })),
  }
}

export type Compensations = ReturnType<typeof createCompensations>
