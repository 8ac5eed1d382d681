// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  defineUpdate,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow'
import type { RefundEnded, RefundRequested } from '../shared/contracts/events.ts'
import {
  isSagaRequest,
  type RefundState,
  refundUpdates,
  type SagaRequest,
  sagaQuery,
} from '../shared/contracts/saga.ts'
import { refundStatus } from '../shared/contracts/search-attributes.ts'
import { createRetriedSteps, type RetriedSteps } from './retried-steps.ts'
import {
  announceAction,
  announceAttention,
  announceRefundEnd,
  type StepSettings,
} from './run-step.ts'
import { createTimeline } from './timeline.ts'

/**
 * The refund saga: gives back a part of what a completed purchase cost, or all of it.
 *
 *   step           effect
 *   returnMoney    payment: the provider gives the money back, once; or refuses, and nothing else happens
 *   returnStock    product: what was sold is free again, if that was asked for
 *   announce       purchase and the buyer learn of it
 *   closeRefund    payment: the refund shows how it ended
 *
 * Returns how the refund ended and never fails. Nothing is undone: `done` of `returnMoney` is the commit point, and
 * every step is repeated until it is answered, or an operator resolves it. Each may run again in another run of the
 * saga, and the participants' inboxes answer.
 */
export async function refund(
  requested: RefundRequested,
  settings: StepSettings,
): Promise<RefundEnded> {
  const { purchase_id, refund_id, amount, product_ids, ...rest } = requested
  const steps = createRetriedSteps(settings, createTimeline(), {
    async onStuck(step) {
      show('NEEDS_ATTENTION')
      await announceAttention({ purchase_id, steps: [step], reason: 'refund_stuck' })
    },
    onMoving: () => show('PROCESSING'),
  })
  registerRequests(purchase_id, steps)
  const about = { ...rest, refund_id, purchase_id, amount }

  async function close({ status }: RefundEnded): Promise<void> {
    await steps.take('closeRefund', (activities) =>
      activities.closeRefund(purchase_id, { refund_id, status }),
    )
  }

  // A cancel in Temporal stops nothing: what was promised is done.
  return CancellationScope.nonCancellable(async () => {
    const money = await steps.take('returnMoney', (activities) =>
      activities.returnMoney(purchase_id, { refund_id, amount }),
    )
    let ended: RefundEnded = { ...about, status: 'COMPLETED', reason: null, returned: true }
    if (!money) ended = { ...ended, status: 'RESOLVED', returned: false }
    else if (money.outcome === 'rejected') {
      ended = { ...ended, status: 'FAILED', reason: money.reason, returned: false }
    }
    // An operator returned the money by hand: payment must refuse a command that is still on its way, before anything
    // else.
    if (!money) await close(ended)
    if (product_ids.length > 0 && ended.status !== 'FAILED') {
      const stock = await steps.take('returnStock', (activities) =>
        activities.returnStock(purchase_id, { refund_id, product_ids }),
      )
      if (!stock) ended = { ...ended, status: 'RESOLVED' }
    }
    show(ended.status)
    await announceRefundEnd(ended)
    if (money) await close(ended)
    await condition(allHandlersFinished)
    return ended
  })
}

/** What operators filter refunds by. */
function show(status: string): void {
  upsertSearchAttributes([{ key: refundStatus, value: status }])
}

/** Requests of operators. They are announced as those to a purchase's saga are. */
function registerRequests(purchaseId: string, steps: RetriedSteps): void {
  const announce = (request: SagaRequest) =>
    CancellationScope.nonCancellable(() => announceAction(request))

  function refuseUnless(fits: (step: string | null) => boolean) {
    return (request: SagaRequest): void => {
      if (!isSagaRequest(request, purchaseId)) {
        throw ApplicationFailure.nonRetryable('not an operator request for this refund', 'Invalid')
      }
      if (fits(request.step)) return
      throw ApplicationFailure.nonRetryable('there is no such step that is stuck', 'NotStuck')
    }
  }

  setHandler(
    defineUpdate<void, [SagaRequest]>(refundUpdates.retry),
    (request) => {
      steps.retry(request.step)
      return announce(request)
    },
    { validator: refuseUnless(steps.isStuck) },
  )
  setHandler(
    defineUpdate<void, [SagaRequest]>(refundUpdates.resolve),
    (request) => {
      steps.resolve(request.step)
      return announce(request)
    },
    { validator: refuseUnless(steps.canResolve) },
  )
  setHandler(defineQuery<RefundState>(sagaQuery), (): RefundState => ({ steps: steps.states() }))
}
