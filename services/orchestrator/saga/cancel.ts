import {
  type Client,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/client'
import type { PurchaseAccepted } from '../../../shared/contracts/events.ts'
import {
  cancelUpdateId,
  type SagaRequest,
  sagaUpdates,
  type Verdict,
} from '../../../shared/contracts/saga.ts'
import { AppError } from '../../../shared/runtime/errors.ts'
import type { purchase } from '../../../workflows/index.ts'
import type { PendingCancels } from './pending-cancels.ts'
import type { Recovery } from './recovery.ts'
import { purchaseStart, type SagaSettings } from './start-options.ts'
import { resultOf, statusOf } from './status.ts'

type Deps = {
  client: Client
  settings: SagaSettings
  recovery: Pick<Recovery, 'recover'>
  pending: Pick<PendingCancels, 'during'>
}

/** How long a customer waits for the saga's answer; the purchase service waits for 2 s at most. */
export const cancelDeadlineMs = 1_800

/**
 * Makes `cancel`: asks a purchase's saga to cancel and answers with the status of the purchase. A saga that has not
 * started is started and receives the request before its first step; the accepted event then finds it. `request` is an
 * operator's, null a customer's. Throws AppError('unavailable') when no worker or server answers in time; the request
 * may still arrive then, and repeating it changes nothing.
 */
export function createCancel({ client, settings, recovery, pending }: Deps) {
  function send(accepted: PurchaseAccepted, request: SagaRequest | null): Promise<Verdict> {
    const options = purchaseStart(accepted, settings, client.options.namespace)
    return client.workflow.executeUpdateWithStart<typeof purchase, Verdict, [SagaRequest | null]>(
      sagaUpdates.cancel,
      {
        updateId: request?.action_id ?? cancelUpdateId,
        args: [request],
        startWorkflowOperation: new WithStartWorkflowOperation<typeof purchase>(
          'purchase',
          options,
        ),
      },
    )
  }

  return async (
    accepted: PurchaseAccepted,
    request: SagaRequest | null = null,
  ): Promise<Verdict> => {
    const { purchase_id } = accepted
    const deadline = Date.now() + cancelDeadlineMs
    try {
      return await pending.during(purchase_id, () =>
        client.withDeadline(deadline, () => send(accepted, request)),
      )
    } catch (error) {
      // An Update that the saga's last task leaves unanswered fails in other ways than one that comes later.
      const status = await client
        .withDeadline(deadline, () => statusOf(client, purchase_id))
        .catch(() => 'UNKNOWN')
      if (status === 'COMPLETED') return (await resultOf(client, purchase_id)).status
      if (error instanceof WorkflowExecutionAlreadyStartedError) await recovery.recover(purchase_id)
      throw new AppError('unavailable', 'the saga does not answer yet; try again', { cause: error })
    }
  }
}

export type Cancel = ReturnType<typeof createCancel>
