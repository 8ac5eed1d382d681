// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow'
import {
  cancelWish,
  type SagaRequest,
  type SagaState,
  sagaQuery,
  sagaUpdates,
  type Verdict,
} from '../shared/contracts/saga.ts'
import { steps } from '../shared/contracts/steps.ts'
import type { Compensations } from './compensations.ts'
import { announceAction, type StepName } from './steps.ts'

/** What customers and operators ask of a saga while it runs. Who never asks costs nothing. */
export function hearRequests(undos: Compensations) {
  let step: StepName = 'reserveStock'
  let cancelWanted = false
  let decided: Verdict | undefined

  const announce = (request: SagaRequest) =>
    CancellationScope.nonCancellable(() => announceAction(request))

  function refuseUnlessStuck(request: SagaRequest): void {
    if (undos.stuckSteps(request.step).length > 0) return
    throw ApplicationFailure.nonRetryable('there is no such undo that is stuck', 'NotStuck')
  }

  setHandler(defineUpdate<Verdict, [SagaRequest | null]>(sagaUpdates.cancel), async (request) => {
    cancelWanted ||= decided === undefined
    const verdict = decided ?? 'CANCELLING'
    if (request) await announce(request)
    return verdict
  })
  setHandler(
    defineUpdate<void, [SagaRequest]>(sagaUpdates.retryUndo),
    (request) => {
      undos.retry(request.step)
      return announce(request)
    },
    { validator: refuseUnlessStuck },
  )
  setHandler(
    defineUpdate<void, [SagaRequest]>(sagaUpdates.resolveUndo),
    (request) => {
      undos.giveUp(request.step)
      return announce(request)
    },
    { validator: refuseUnlessStuck },
  )
  setHandler(
    defineQuery<SagaState>(sagaQuery),
    (): SagaState => ({
      step: steps[step],
      status: decided ?? (cancelWanted ? 'CANCELLING' : 'PROCESSING'),
      cancel_wanted: cancelWanted,
      undos: undos.states(),
    }),
  )

  return {
    /** Called before each step. Throws when the customer does not want the purchase any more. */
    begin(name: StepName): void {
      step = name
      if (cancelWanted) throw ApplicationFailure.nonRetryable('cancelled', cancelWish)
    },
    /** The wish came by the step that was to begin, before its Update. */
    hearCancel(): void {
      cancelWanted = true
    },
    get step(): string {
      return steps[step]
    },
    get cancelled(): boolean {
      return cancelWanted || CancellationScope.current().consideredCancelled
    },
    /** From here on a wish to cancel comes too late, and is told how the purchase ends. */
    decide(verdict: Verdict): void {
      decided = verdict
    },
    /** A workflow must not end while it owes somebody an answer. */
    allAnswered: (): Promise<void> => condition(allHandlersFinished),
  }
}
