import {
  type Client,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowStartOptions,
} from '@temporalio/client'
import type { EventBody, PurchaseEnded } from '../../shared/contracts/events.ts'
import { cancelUpdateId, sagaUpdates, type Verdict } from '../../shared/contracts/saga.ts'
import { customerId, purchaseStatus } from '../../shared/contracts/search-attributes.ts'
import { AppError } from '../../shared/errors.ts'
import { purchaseWorkflowId } from '../../shared/ids.ts'
import type { Logger } from '../../shared/logger.ts'
import { taskQueue } from '../../shared/temporal.ts'
import type { purchase, refusePurchase } from '../../workflows/index.ts'
import type { CancelWishes } from './cancel-wishes.ts'
import { resultOf } from './endings.ts'
import type { Recovery } from './recovery.ts'
import type { SagaGate } from './saga-gate.ts'

type Deps = {
  client: Client
  gate: SagaGate
  settings: Parameters<typeof purchase>[1]
  announce: (ended: PurchaseEnded) => Promise<void>
  logger: Logger
  wishes: Pick<CancelWishes, 'tell' | 'wished'>
  /** Takes a saga up again that was ended from outside. */
  recovery: Pick<Recovery, 'recover' | 'flag'>
}

/** One purchase id means one workflow, for ever: a second start is the first one. */
export function sagaStart(workflowId: string) {
  return {
    workflowId,
    taskQueue,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
  } satisfies Omit<WorkflowStartOptions, 'args'>
}

/** A customer waits for the answer, and the purchase service for 2 s at most. */
const cancelDeadlineMs = 1_800

/** What the orchestrator does with sagas: start them, refuse them, say again how they ended. */
export function createSagas(deps: Deps) {
  const { client, gate, settings, announce, logger, wishes, recovery } = deps

  async function unlessStarted(start: Promise<unknown>): Promise<boolean> {
    try {
      await start
      return true
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false
      throw error
    }
  }

  function startOf(accepted: EventBody<'purchaseAccepted'>) {
    return {
      ...sagaStart(purchaseWorkflowId(accepted.purchase_id)),
      args: [accepted, settings] satisfies Parameters<typeof purchase>,
      typedSearchAttributes: [
        { key: purchaseStatus, value: 'PROCESSING' },
        { key: customerId, value: accepted.customer_id },
      ],
      staticSummary: `${accepted.lines.length} lines, ${accepted.amount} ${accepted.currency_code}`,
    } satisfies WorkflowStartOptions<typeof purchase>
  }

  async function statusOf(purchaseId: string): Promise<string> {
    try {
      const found = await client.workflow.getHandle(purchaseWorkflowId(purchaseId)).describe()
      return found.status.name
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'NOT_FOUND'
      throw error
    }
  }

  /**
   * Tells a purchase's saga that the customer does not want it any more, and answers how it stands. One that has not
   * started is started, and hears it before its first step; the accepted event then finds it. Throws
   * AppError('unavailable') when no worker or server answers in time; asking again is the same wish.
   */
  async function cancel(accepted: EventBody<'purchaseAccepted'>): Promise<Verdict> {
    const { purchase_id } = accepted
    const deadline = Date.now() + cancelDeadlineMs
    void wishes.tell(purchase_id)
    try {
      return await client.withDeadline(deadline, () =>
        client.workflow.executeUpdateWithStart<typeof purchase, Verdict, [null]>(
          sagaUpdates.cancel,
          {
            updateId: cancelUpdateId,
            args: [null],
            startWorkflowOperation: new WithStartWorkflowOperation<typeof purchase>(
              'purchase',
              startOf(accepted),
            ),
          },
        ),
      )
    } catch (error) {
      // An Update that the saga's last task leaves unanswered fails in other ways than one that comes later.
      const status = await client
        .withDeadline(deadline, () => statusOf(purchase_id))
        .catch(() => 'UNKNOWN')
      if (status === 'COMPLETED') return (await resultOf(client, purchase_id)).status
      if (error instanceof WorkflowExecutionAlreadyStartedError) await recovery.recover(purchase_id)
      throw new AppError('unavailable', 'the saga does not answer', { cause: error })
    }
  }

  return {
    /**
     * Starts a purchase's saga, when there is room for one more. A repeated event does nothing, and one that is
     * cancelled already hears so before its first step.
     */
    async start(accepted: EventBody<'purchaseAccepted'>): Promise<void> {
      const { purchase_id } = accepted
      await gate.enter(purchase_id)
      try {
        if (await wishes.wished(purchase_id)) {
          const verdict = await cancel(accepted)
          if (verdict !== 'CANCELLING') gate.leave(purchase_id)
          logger.info({ purchase_id, verdict }, 'purchase saga of a cancelled purchase')
          return
        }
        const started = await unlessStarted(
          client.workflow.start<typeof purchase>('purchase', {
            ...startOf(accepted),
            requestEagerStart: true,
          }),
        )
        if (!started) gate.leave(purchase_id)
        logger.info({ purchase_id, started }, 'purchase saga')
      } catch (error) {
        gate.leave(purchase_id)
        throw error
      }
    },

    cancel,

    /** Ends a purchase whose event cannot be read as REJECTED, unless its saga exists. */
    async refuse(purchaseId: string): Promise<void> {
      await unlessStarted(
        client.workflow.start<typeof refusePurchase>('refusePurchase', {
          ...sagaStart(purchaseWorkflowId(purchaseId)),
          args: [purchaseId],
        }),
      )
    },

    /** Says again how a purchase ended, for a participant that did not hear it. */
    async announceAgain(purchaseId: string): Promise<void> {
      const status = await statusOf(purchaseId)
      if (status === 'RUNNING') return
      if (status !== 'COMPLETED') {
        logger.error({ purchase_id: purchaseId, status }, 'unsettled purchase has no saga result')
        // The purchase service publishes a purchase again that has no saga; one that it knows to have ended is stray.
        if (status === 'NOT_FOUND') await recovery.flag(purchaseId, 'saga_broken')
        else await recovery.recover(purchaseId)
        return
      }
      await announce(await resultOf(client, purchaseId))
      logger.info({ purchase_id: purchaseId }, 'end of purchase announced again')
    },
  }
}

export type Sagas = ReturnType<typeof createSagas>
