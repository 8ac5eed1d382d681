// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import {
  CancellationScope,
  proxySinks,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow'
import type { PurchaseAccepted, PurchaseEnded } from '../shared/contracts/events.ts'
import { failedStep, failureReason, purchaseStatus } from '../shared/contracts/search-attributes.ts'
import { createCompensations } from './compensations.ts'
import { hearRequests } from './requests.ts'
import {
  announceAttention,
  announceEnd,
  type Call,
  isCancelWish,
  isRefusal,
  reasonOf,
  type StepName,
  type StepSettings,
  take,
} from './steps.ts'

/** Heard in the process that runs the last task of a saga, a moment before Temporal stores how it ended. */
const { leaving } = proxySinks<{
  leaving: { ended(purchaseId: string, isAnnounced: boolean): void }
}>()

/*
 *   step             undo, added before its step runs
 *   reserveStock     releaseStock       product: stock -> held, all lines or none
 *   createOrder      cancelOrder        order:   PENDING
 *   takePayment      refundPayment      payment: CAPTURED, and its reply is the commit point
 *   announce the end                    then order and product settle, and purchase shows it
 */
export async function purchase(
  accepted: PurchaseAccepted,
  settings: StepSettings,
): Promise<PurchaseEnded> {
  const { purchase_id: id, customer_id, lines, amount, currency_code } = accepted
  const end = { purchase_id: id, customer_id, reason: null, failed_step: null }
  let ended: PurchaseEnded = { ...end, status: 'COMPLETED' }
  const undos = createCompensations(id, settings)
  const requests = hearRequests(undos)
  let committed = false
  const go = (step: StepName, call: Call) => {
    requests.begin(step)
    return take(step, settings, call)
  }

  try {
    const stock = lines.map(({ product_id, quantity }) => ({ product_id, quantity }))
    undos.add('releaseStock')
    await go('reserveStock', (to) => to.reserveStock(id, { lines: stock }))

    const order = { customer_id, lines, amount, currency_code }
    undos.add('cancelOrder')
    await go('createOrder', (to) => to.createOrder(id, order))

    const payment = { customer_id, amount, currency_code, method: accepted.payment_method }
    undos.add('refundPayment')
    await go('takePayment', (to) => to.takePayment(id, payment))
    committed = true
  } catch (error) {
    if (isCancelWish(error)) requests.hearCancel()
    const status = requests.cancelled ? 'CANCELLED' : 'REJECTED'
    // A run that died with its process may have gone further than this one, unless a participant said no.
    if (!isRefusal(error)) undos.addAll()
    ended = { ...end, status, reason: reasonOf(error), failed_step: requests.step }
  } finally {
    requests.decide(ended.status)
    if (!committed) {
      show(ended)
      if (!(await undos.run())) {
        show({ ...ended, status: 'NEEDS_ATTENTION' })
        await CancellationScope.nonCancellable(() =>
          announceAttention({ purchase_id: id, steps: undos.stuckSteps(), reason: 'undo_stuck' }),
        )
        if (!(await undos.runStuck())) ended = { ...ended, status: 'RESOLVED' }
        show(ended)
      }
    }
  }

  // The short way: it returns, and this process announces what Temporal has stored. Else Temporal sees to it.
  const isAnnounced = !(settings.announceOnceStored && isFirstTask())
  await CancellationScope.nonCancellable(async () => {
    if (isAnnounced) await announceEnd(ended)
    await requests.allAnswered()
  })
  leaving.ended(id, isAnnounced)
  return ended
}

/** Whether all that happened is one workflow task, behind the events that start it: nothing had to be waited for. */
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
  return finishPurchase({
    purchase_id: purchaseId,
    customer_id: null,
    status: 'REJECTED',
    reason: 'invalid',
    failed_step: null,
  })
}

/**
 * Takes the place of a saga that was ended from outside when its end was decided: that may have been announced, so
 * nothing else may come of the purchase.
 */
export async function finishPurchase(ended: PurchaseEnded): Promise<PurchaseEnded> {
  await announceEnd(ended)
  return ended
}
