import {
  type Client,
  type RawWorkflowExecutionInfo,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client'
import { defaultPayloadConverter } from '@temporalio/common'
import { optionalTsToMs } from '@temporalio/common/lib/time.js'
import type { OperatorActed } from '../../shared/contracts/events.ts'
import type { Saga, SagaSummary, SagasQuery } from '../../shared/contracts/operator.ts'
import {
  type SagaState,
  sagaQuery,
  sagaUpdates,
  type Verdict,
} from '../../shared/contracts/saga.ts'
import {
  failedStep,
  failureReason,
  purchaseStatus,
} from '../../shared/contracts/search-attributes.ts'
import { AppError } from '../../shared/errors.ts'
import { newId, purchaseIdOf, purchaseWorkflowId } from '../../shared/ids.ts'
import type { Logger } from '../../shared/logger.ts'
import type { CancelWishes } from './cancel-wishes.ts'
import type { Recovery } from './recovery.ts'

type Deps = {
  client: Client
  recovery: Recovery
  wishes: Pick<CancelWishes, 'tell'>
  note: (acted: OperatorActed) => Promise<void>
  logger: Logger
}
type Request = {
  purchaseId: string
  operator: string
  step?: string | undefined
  note?: string | undefined
}

const deadlineMs = 5_000
/** gRPC's words for a server that is away, or late. */
const away = new Set([4, 14])

const pendingStates = [
  'UNSPECIFIED',
  'SCHEDULED',
  'STARTED',
  'CANCEL_REQUESTED',
  'PAUSED',
  'PAUSE_REQUESTED',
]
const runStates: Record<NonNullable<SagasQuery['state']>, string> = {
  RUNNING: 'Running',
  COMPLETED: 'Completed',
  FAILED: 'Failed',
  CANCELLED: 'Canceled',
  TERMINATED: 'Terminated',
  TIMED_OUT: 'TimedOut',
}

/** What operators see of sagas and do to them. The words of a query are checked at the door: they go into a filter. */
export function createOperations({ client, recovery, wishes, note, logger }: Deps) {
  const handleOf = (purchaseId: string) => client.workflow.getHandle(purchaseWorkflowId(purchaseId))

  async function describe(purchaseId: string) {
    try {
      return await handleOf(purchaseId).describe()
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error
      throw new AppError('not_found', 'no such saga')
    }
  }

  function actionOf(action: OperatorActed['action'], request: Request): OperatorActed {
    return {
      action_id: newId(),
      purchase_id: request.purchaseId,
      operator: request.operator,
      action,
      step: request.step ?? null,
      note: request.note ?? null,
      at: new Date().toISOString(),
    }
  }

  /** The saga does it, and says so to the world: what it has taken is never lost. */
  async function ask<T>(update: string, acted: OperatorActed): Promise<T> {
    const { action_id, purchase_id, operator, action } = acted
    try {
      const answer = await client.withDeadline(Date.now() + deadlineMs, () =>
        handleOf(purchase_id).executeUpdate<T, [OperatorActed]>(update, {
          updateId: action_id,
          args: [acted],
        }),
      )
      logger.info({ purchase_id, operator, action, action_id }, 'operator acted')
      return answer
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError) {
        throw new AppError('conflict', 'there is no such undo that is stuck', { cause: error })
      }
      if (error instanceof WorkflowNotFoundError) {
        throw new AppError('conflict', 'the saga does not run', { cause: error })
      }
      throw new AppError('unavailable', 'the saga does not answer', { cause: error })
    }
  }

  return {
    async list(query: SagasQuery): Promise<{ items: SagaSummary[]; next_cursor: string | null }> {
      try {
        const { executions, nextPageToken } =
          await client.workflow.workflowService.listWorkflowExecutions({
            namespace: client.workflow.options.namespace,
            query: filterOf(query),
            pageSize: query.limit,
            ...(query.cursor && { nextPageToken: Buffer.from(query.cursor, 'base64url') }),
          })
        const cursor = Buffer.from(nextPageToken ?? []).toString('base64url')
        return { items: executions.map(toSummary), next_cursor: cursor || null }
      } catch (error) {
        if (!query.cursor || away.has((error as { code?: number }).code ?? 0)) throw error
        throw new AppError('invalid', 'cursor: must be a cursor that a list returned', {
          cause: error,
        })
      }
    },

    async get(purchaseId: string): Promise<Saga> {
      const found = await describe(purchaseId)
      const state = await client
        .withDeadline(Date.now() + deadlineMs, () =>
          handleOf(purchaseId).query<SagaState>(sagaQuery),
        )
        .catch(() => undefined)
      return {
        ...toSummary(found.raw.workflowExecutionInfo ?? {}),
        step: state?.step ?? null,
        cancel_wanted: state?.cancel_wanted ?? false,
        undos: state?.undos ?? [],
        pending: (found.raw.pendingActivities ?? []).map((pending) => ({
          activity_id: pending.activityId ?? '',
          state: pendingStates[pending.state ?? 0] ?? 'UNSPECIFIED',
          attempt: pending.attempt ?? 0,
          last_failure: pending.lastFailure?.message ?? null,
          next_attempt_at: timeOf(pending.nextAttemptScheduleTime),
        })),
      }
    },

    async retry(request: Request): Promise<{ action_id: string }> {
      const { status } = await describe(request.purchaseId)
      const acted = actionOf('retry', request)
      if (recovery.isBroken(status.name)) {
        await recovery.recover(request.purchaseId, { insist: true })
        await note(acted)
      } else {
        await ask(sagaUpdates.retryUndo, acted)
      }
      return { action_id: acted.action_id }
    },

    /** Of a purchase that has ended, only the flag is left to take down. */
    async resolve(request: Request): Promise<{ action_id: string }> {
      const { status } = await describe(request.purchaseId)
      const acted = actionOf('resolve', request)
      if (status.name === 'COMPLETED') await note(acted)
      else await ask(sagaUpdates.resolveUndo, acted)
      return { action_id: acted.action_id }
    },

    async cancel(request: Request): Promise<{ action_id: string; status: string }> {
      await describe(request.purchaseId)
      const acted = actionOf('cancel', request)
      void wishes.tell(request.purchaseId)
      const verdict = await ask<Verdict>(sagaUpdates.cancel, acted)
      return { action_id: acted.action_id, status: verdict }
    },
  }
}

export type Operations = ReturnType<typeof createOperations>

function filterOf({ status, state, step, reason, older_than_seconds: age }: SagasQuery): string {
  const before = age && new Date(Date.now() - age * 1_000).toISOString()
  return [
    status && `${purchaseStatus.name} = '${status}'`,
    state && `ExecutionStatus = '${runStates[state]}'`,
    step && `${failedStep.name} = '${step}'`,
    reason && `${failureReason.name} = '${reason}'`,
    before && `StartTime < '${before}'`,
  ]
    .filter(Boolean)
    .join(' AND ')
}

const states = [
  'UNSPECIFIED',
  'RUNNING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'TERMINATED',
  'CONTINUED_AS_NEW',
  'TIMED_OUT',
]

function toSummary(info: RawWorkflowExecutionInfo): SagaSummary {
  const attribute = (name: string): string | null => {
    const payload = info.searchAttributes?.indexedFields?.[name]
    return payload ? (defaultPayloadConverter.fromPayload<string | null>(payload) ?? null) : null
  }
  return {
    purchase_id: purchaseIdOf(info.execution?.workflowId ?? ''),
    run_id: info.execution?.runId ?? '',
    state: states[info.status ?? 0] ?? 'UNSPECIFIED',
    status: attribute(purchaseStatus.name),
    failed_step: attribute(failedStep.name),
    reason: attribute(failureReason.name),
    started_at: timeOf(info.startTime) ?? '',
    closed_at: timeOf(info.closeTime),
  }
}

function timeOf(timestamp: Parameters<typeof optionalTsToMs>[0]): string | null {
  const ms = optionalTsToMs(timestamp)
  return ms === undefined ? null : new Date(ms).toISOString()
}
