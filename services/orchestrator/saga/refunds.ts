import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowStartOptions,
  WorkflowUpdateFailedError,
} from '@temporalio/client'
import type {
  OperatorActed,
  RefundEnded,
  RefundRequested,
} from '../../../shared/contracts/events.ts'
import { newId, refundWorkflowId } from '../../../shared/contracts/ids.ts'
import type { RefundSaga } from '../../../shared/contracts/operator.ts'
import { type RefundState, refundUpdates, sagaQuery } from '../../../shared/contracts/saga.ts'
import { refundStatus } from '../../../shared/contracts/search-attributes.ts'
import { AppError } from '../../../shared/runtime/errors.ts'
import type { Logger } from '../../../shared/runtime/logger.ts'
import { taskQueue } from '../../../shared/runtime/temporal.ts'
import type { refund } from '../../../workflows/index.ts'
import type { SagaSettings } from './start-options.ts'
import { attributeOf, pendingOf, stateOf, timeOf } from './view.ts'
import { visibleRefund } from './visibility.ts'

type Deps = {
  client: Client
  settings: SagaSettings
  announce: (ended: RefundEnded) => Promise<void>
  logger: Logger
}
type Request = {
  refundId: string
  operator: string
  step?: string | undefined
  note?: string | undefined
}

const deadlineMs = 10_000
const queryDeadlineMs = 5_000

/** One refund is one workflow. A run that was ended from outside is replaced: the inboxes answer what it had asked. */
function refundStart(requested: RefundRequested, settings: SagaSettings) {
  return {
    workflowId: refundWorkflowId(requested.refund_id),
    taskQueue,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    workflowIdConflictPolicy: 'FAIL',
    args: [requested, settings] satisfies Parameters<typeof refund>,
    ...visibleRefund(requested),
  } satisfies WorkflowStartOptions<typeof refund>
}

/** Starts the sagas of refunds, shows them, and takes what operators decide. */
export function createRefunds({ client, settings, announce, logger }: Deps) {
  const handleOf = (refundId: string) =>
    client.workflow.getHandle<typeof refund>(refundWorkflowId(refundId))

  async function described(refundId: string) {
    try {
      return await handleOf(refundId).describe()
    } catch (cause) {
      if (!(cause instanceof WorkflowNotFoundError)) throw cause
      throw new AppError('not_found', 'there is no saga of such a refund', { cause })
    }
  }

  /** Asks the saga by an Update: what it has taken is never lost, and it announces it. */
  async function ask(
    update: string,
    action: OperatorActed['action'],
    { refundId, operator, step, note }: Request,
  ): Promise<{ action_id: string }> {
    const found = await described(refundId)
    const acted: OperatorActed = {
      action_id: newId(),
      purchase_id: String(found.memo?.purchase_id ?? ''),
      operator,
      action,
      step: step ?? null,
      note: note ?? null,
      at: new Date().toISOString(),
    }
    try {
      await client.withDeadline(Date.now() + deadlineMs, () =>
        handleOf(refundId).executeUpdate<void, [OperatorActed]>(update, {
          updateId: acted.action_id,
          args: [acted],
        }),
      )
    } catch (cause) {
      if (cause instanceof WorkflowUpdateFailedError) {
        const why = 'no such step is stuck; GET /refund-sagas/:id shows the state of each'
        throw new AppError('conflict', why, { cause })
      }
      if (cause instanceof WorkflowNotFoundError) {
        throw new AppError('conflict', 'the saga has ended', { cause })
      }
      const later = 'the saga does not answer yet; look with GET /refund-sagas/:id, then try again'
      throw new AppError('unavailable', later, { cause })
    }
    const { action_id, purchase_id } = acted
    logger.info({ refund_id: refundId, purchase_id, operator, action, action_id }, 'operator acted')
    return { action_id }
  }

  return {
    /**
     * Starts the saga of a refund, once. Of one that has ended the end is announced again: a refund that is asked for
     * again is open in payment, so its end may have been lost.
     */
    async start(requested: RefundRequested): Promise<'STARTED' | 'RUNNING' | 'ENDED'> {
      const { refund_id, purchase_id } = requested
      try {
        await client.workflow.start<typeof refund>('refund', refundStart(requested, settings))
        logger.info({ refund_id, purchase_id }, 'refund saga started')
        return 'STARTED'
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
      }
      const { status } = await handleOf(refund_id).describe()
      if (status.name !== 'COMPLETED') return 'RUNNING'
      await announce(await handleOf(refund_id).result())
      logger.warn({ refund_id, purchase_id }, 'refund is open although its saga has ended')
      return 'ENDED'
    },

    /** One refund's saga: its steps, and what it waits for. Without a worker that answers it has no steps. */
    async get(refundId: string): Promise<RefundSaga> {
      const found = await described(refundId)
      const state = await client
        .withDeadline(Date.now() + queryDeadlineMs, () =>
          handleOf(refundId).query<RefundState>(sagaQuery),
        )
        .catch(() => undefined)
      const info = found.raw.workflowExecutionInfo ?? {}
      return {
        refund_id: refundId,
        purchase_id: String(found.memo?.purchase_id ?? ''),
        run_id: info.execution?.runId ?? '',
        state: stateOf(info),
        status: attributeOf(info, refundStatus.name),
        started_at: timeOf(info.startTime),
        closed_at: timeOf(info.closeTime),
        steps: state?.steps ?? [],
        pending: pendingOf(found.raw),
      }
    },

    /** Tries the stuck step at once. */
    retry: (request: Request) => ask(refundUpdates.retry, 'retry', request),
    /** A person has done what the stuck step should do: it is left out. */
    resolve: (request: Request) => ask(refundUpdates.resolve, 'resolve', request),
  }
}

export type Refunds = ReturnType<typeof createRefunds>
