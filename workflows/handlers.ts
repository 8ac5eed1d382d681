// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  defineUpdate,
  setHandler,
  sleep,
} from '@temporalio/workflow'
import {
  cancelRequestedFailure,
  isSagaRequest,
  type SagaRequest,
  type SagaState,
  sagaQuery,
  sagaUpdates,
  type Verdict,
} from '../shared/contracts/saga.ts'
import { commandSteps, type DoName } from '../shared/contracts/steps.ts'
import type { Compensations } from './compensations.ts'
import { announceAction, type StepSettings } from './run-step.ts'

/** Requests of customers and operators to a running saga. A saga without a request pays nothing for them. */
export function registerHandlers(
  purchaseId: string,
  undos: Compensations,
  { maxTaskMs }: Pick<StepSettings, 'maxTaskMs'>,
) {
  let step: string | null = null
  let cancelRequested = false
  let decided: Verdict | undefined
  let taskBegan = Date.now()
  let cancelPending = false

  const announce = (request: SagaRequest) =>
    CancellationScope.nonCancellable(() => announceAction(request))

  /** Updates are sent by hand as well: what is not a request is refused, and leaves nothing in the history. */
  function refuseUnlessRequest(request: unknown): void {
    if (isSagaRequest(request, purchaseId)) return
    throw ApplicationFailure.nonRetryable('not an operator request for this purchase', 'Invalid')
  }

  async function nextTask(): Promise<void> {
    await sleep(1)
    taskBegan = Date.now()
    cancelPending = false
  }

  function unlessCancelled<T>(run: () => Promise<T>): Promise<T> {
    if (!cancelRequested) return run()
    throw ApplicationFailure.nonRetryable('cancelled', cancelRequestedFailure)
  }

  function refuseUnlessStuck(request: SagaRequest): void {
    refuseUnlessRequest(request)
    if (undos.stuckSteps(request.step).length > 0) return
    throw ApplicationFailure.nonRetryable('there is no such undo that is stuck', 'NotStuck')
  }

  setHandler(
    defineUpdate<Verdict, [SagaRequest | null]>(sagaUpdates.cancel),
    async (request) => {
      cancelRequested ||= decided === undefined
      const verdict = decided ?? 'CANCELLING'
      if (request) await announce(request)
      return verdict
    },
    {
      validator: (request) => {
        if (request !== null) refuseUnlessRequest(request)
      },
    },
  )
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
      undos.abandon(request.step)
      return announce(request)
    },
    { validator: refuseUnlessStuck },
  )
  setHandler(
    defineQuery<SagaState>(sagaQuery),
    (): SagaState => ({
      step,
      status: decided ?? (cancelRequested ? 'CANCELLING' : 'PROCESSING'),
      cancel_wanted: cancelRequested,
      undos: undos.states(),
    }),
  )

  return {
    /**
     * Begins a step, and throws when a cancel was requested. Updates come in between two workflow tasks, and quick
     * steps share one: a task that has lasted for long, or for which one is pending, is ended first, so that the
     * request arrives before the step. Not async: one microtask more would change the order of commands in recorded
     * histories.
     */
    begin<T>(name: DoName, run: () => Promise<T>): Promise<T> {
      step = commandSteps[name].step
      const isLong = maxTaskMs !== undefined && Date.now() - taskBegan >= maxTaskMs
      return isLong || cancelPending
        ? nextTask().then(() => unlessCancelled(run))
        : unlessCancelled(run)
    },
    /** A cancel Update is on its way to this saga. */
    expectCancel(): void {
      cancelPending = true
    },
    /** The request came by the step that was to begin: in histories of up to 0.2.0 only. */
    markCancelRequested(): void {
      cancelRequested = true
    },
    get step(): string | null {
      return step
    },
    get cancelled(): boolean {
      return cancelRequested || CancellationScope.current().consideredCancelled
    },
    /** From here on a cancel request is too late; its answer is the outcome of the purchase. */
    decide(verdict: Verdict): void {
      decided = verdict
    },
    /** A workflow must not end while an answer to a request is pending. */
    allAnswered: (): Promise<void> => condition(allHandlersFinished),
  }
}
