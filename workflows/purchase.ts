// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import {
  CancellationScope,
  proxySinks,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow'
import type { PurchaseAccepted, PurchaseEnded } from '../shared/contracts/events.ts'
import { refusedEnd } from '../shared/contracts/saga.ts'
import { failedStep, failureReason, purchaseStatus } from '../shared/contracts/search-attributes.ts'
import { commandSteps, type DoName, doNames, undoOf } from '../shared/contracts/steps.ts'
import { createCompensations } from './compensations.ts'
import { registerHandlers } from './handlers.ts'
import { requestOf } from './requests.ts'
import {
  announceAttention,
  announceEnd,
  isCancelRequest,
  mayHaveGoneFurther,
  reasonOf,
  runStep,
  type StepSettings,
} from './run-step.ts'
import { createStepLog } from './step-log.ts'
import { createTimeline } from './timeline.ts'

/** Called in the process that runs the last task of a saga, just before Temporal stores how it ended. */
const { workflowCompletion } = proxySinks<{
  workflowCompletion: { onCompleted(purchaseId: string, isAnnounced: boolean): void }
}>()

/**
 * The purchase saga.
 *
 *   step             undo               effect of the step
 *   reserveStock     releaseStock       product: stock becomes held, all lines or none
 *   createOrder      cancelOrder        order:   PENDING
 *   takePayment      refundPayment      payment: CAPTURED, and its reply is the commit point
 *   announce the end                    order and product settle, and the customer sees it
 *
 * Returns how the purchase ended and never fails. A step that is refused or out of attempts, or a cancel request
 * before the commit point, runs the undos in reverse order. `shared/contracts/steps.ts` is the registry of the steps.
 */
export async function purchase(
  accepted: PurchaseAccepted,
  settings: StepSettings,
): Promise<PurchaseEnded> {
  const { purchase_id: id, customer_id } = accepted
  const end = { purchase_id: id, customer_id, reason: null, failed_step: null }
  let ended: PurchaseEnded = { ...end, status: 'COMPLETED' }
  const log = createStepLog()
  const timeline = createTimeline()
  const undos = createCompensations(id, settings, log, timeline)
  const requests = registerHandlers(id, undos, settings)
  let committed = false
  async function take(step: DoName): Promise<void> {
    undos.add(undoOf[step])
    const run = () => runStep(step, settings, log, id, requestOf[step](accepted))
    const timed = () => timeline.time(commandSteps[step].step, run, reasonOf)
    const { cancel_pending } = await requests.begin(step, timed)
    if (cancel_pending) requests.expectCancel()
  }

  try {
    await take('reserveStock')
    await take('createOrder')
    await take('takePayment')
    committed = true // The commit point: from here on nothing is undone.
  } catch (error) {
    if (isCancelRequest(error)) requests.markCancelRequested()
    ended = requests.cancelled
      ? { ...end, status: 'CANCELLED', reason: 'cancelled' }
      : { ...end, status: 'REJECTED', reason: reasonOf(error), failed_step: requests.step }
    if (mayHaveGoneFurther(error)) undos.addAll(doNames)
  } finally {
    requests.decide(ended.status)
    if (committed) {
      undos.release()
      if (settings.showCompleted) show(ended)
    } else {
      show(ended)
      if (!(await undos.run())) {
        show({ ...ended, status: 'NEEDS_ATTENTION' })
        await CancellationScope.nonCancellable(() =>
          announceAttention({ purchase_id: id, steps: undos.stuckSteps(), reason: 'undo_stuck' }),
        )
        if (!(await undos.runStuck())) ended = { ...ended, status: 'RESOLVED' }
        requests.decide(ended.status)
        show(ended)
      }
    }
  }

  ended = { ...ended, steps: log.outcomes() }
  // A saga of one task returns, and this process announces what Temporal has stored. Any other announces itself.
  const isAnnounced = !(settings.announceOnceStored && isFirstTask())
  await CancellationScope.nonCancellable(async () => {
    if (isAnnounced) await announceEnd(ended)
    await requests.allAnswered()
  })
  workflowCompletion.onCompleted(id, isAnnounced)
  return ended
}

/** Whether everything so far happened in the first workflow task: its history has the three events that start it. */
function isFirstTask(): boolean {
  return workflowInfo().historyLength === 3
}

/** What operators filter sagas by. */
function show({ status, reason, failed_step }: Record<'status', string> & Failure): void {
  upsertSearchAttributes([
    { key: purchaseStatus, value: status },
    { key: failedStep, value: failed_step },
    { key: failureReason, value: reason },
  ])
}

type Failure = Pick<PurchaseEnded, 'reason' | 'failed_step'>

/**
 * Takes the place of a purchase whose accepted event cannot be read. It has the purchase's workflow id, so no
 * later copy of the event can start the saga that was refused.
 */
export function refusePurchase(purchaseId: string): Promise<PurchaseEnded> {
  return finishPurchase(refusedEnd(purchaseId))
}

/**
 * Takes the place of a saga that was ended from outside when its end was decided: that may have been announced, so
 * nothing else may come of the purchase.
 */
export async function finishPurchase(ended: PurchaseEnded): Promise<PurchaseEnded> {
  await announceEnd(ended)
  return ended
}
