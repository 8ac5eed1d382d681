import {
  type Client,
  type RawWorkflowExecutionInfo,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
} from '@temporalio/client'
import { defaultPayloadConverter } from '@temporalio/common'
import { purchaseIdOf, purchaseWorkflowId } from '../../../shared/contracts/ids.ts'
import type { Saga, SagaSummary, SagasQuery } from '../../../shared/contracts/operator.ts'
import { type SagaState, sagaQuery } from '../../../shared/contracts/saga.ts'
import {
  customerId,
  failedStep,
  failureReason,
  purchaseStatus,
} from '../../../shared/contracts/search-attributes.ts'
import { AppError } from '../../../shared/runtime/errors.ts'
import { cursorOf, tokenOf, wrongCursor } from './cursor.ts'
import type { PurchaseRows } from './purchase-rows.ts'
import { ofPurchases } from './visibility.ts'

type Deps = { client: Client; rows: Pick<PurchaseRows, 'stateOf'> }

const queryDeadlineMs = 5_000
/** gRPC's codes for a server that is unavailable, or late. */
const unavailable = new Set([4, 14])

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

/** What operators see of sagas. The words of a query are checked at the edge: they go into a filter. */
export function createSagaView({ client, rows }: Deps) {
  const handleOf = (purchaseId: string) => client.workflow.getHandle(purchaseWorkflowId(purchaseId))

  /**
   * A purchase that is queued, or whose saga Temporal does not know. Throws AppError('not_found') when there is no
   * purchase either.
   */
  async function getMissing(purchaseId: string): Promise<Saga> {
    const row = await rows.stateOf(purchaseId)
    if (!row) throw new AppError('not_found', 'there is no purchase with this id')
    return {
      purchase_id: purchaseId,
      run_id: null,
      state: row.queued ? 'QUEUED' : 'MISSING',
      status: row.status,
      failed_step: row.ended?.failed_step ?? null,
      reason: row.ended?.reason ?? null,
      started_at: null,
      closed_at: null,
      step: null,
      cancel_wanted: row.cancelRequested,
      undos: [],
      pending: [],
    }
  }

  return {
    async list(query: SagasQuery): Promise<{ items: SagaSummary[]; next_cursor: string | null }> {
      const token = query.cursor && tokenOf(query.cursor)
      try {
        const { executions, nextPageToken } =
          await client.workflow.workflowService.listWorkflowExecutions({
            namespace: client.workflow.options.namespace,
            query: filterOf(query),
            pageSize: query.limit,
            ...(token && { nextPageToken: token }),
          })
        return { items: executions.map(toSummary), next_cursor: cursorOf(nextPageToken) }
      } catch (error) {
        if (!query.cursor || unavailable.has((error as { code?: number }).code ?? 0)) throw error
        throw wrongCursor(error)
      }
    },

    /** One saga. Its step and undos need a worker that answers; without one they are null and empty. */
    async get(purchaseId: string): Promise<Saga> {
      const found = await handleOf(purchaseId)
        .describe()
        .catch((error: unknown) => {
          if (error instanceof WorkflowNotFoundError) return undefined
          throw error
        })
      if (!found) return getMissing(purchaseId)
      const state = await client
        .withDeadline(Date.now() + queryDeadlineMs, () =>
          handleOf(purchaseId).query<SagaState>(sagaQuery),
        )
        .catch(() => undefined)
      return {
        ...toSummary(found.raw.workflowExecutionInfo ?? {}),
        step: state?.step ?? null,
        cancel_wanted: state?.cancel_wanted ?? false,
        undos: state?.undos ?? [],
        pending: pendingOf(found.raw),
      }
    },
  }
}

export type SagaView = ReturnType<typeof createSagaView>

function filterOf(query: SagasQuery): string {
  const { status, state, step, reason, customer_id, started_from, started_to } = query
  const { older_than_seconds: age } = query
  const before = age && new Date(Date.now() - age * 1_000).toISOString()
  return [
    ofPurchases,
    status && `${purchaseStatus.name} = '${status}'`,
    state && `ExecutionStatus = '${runStates[state]}'`,
    step && `${failedStep.name} = '${step}'`,
    reason && `${failureReason.name} = '${reason}'`,
    customer_id && `${customerId.name} = '${customer_id}'`,
    started_from && `StartTime >= '${started_from}'`,
    started_to && `StartTime < '${started_to}'`,
    before && `StartTime < '${before}'`,
  ]
    .filter(Boolean)
    .join(' AND ')
}

/** A search attribute; null when it has none of the name. */
export function attributeOf(info: RawWorkflowExecutionInfo, name: string): string | null {
  const payload = info.searchAttributes?.indexedFields?.[name]
  return payload ? (defaultPayloadConverter.fromPayload<string | null>(payload) ?? null) : null
}

/** The state of a run in Temporal's words. */
export function stateOf(info: RawWorkflowExecutionInfo): string {
  return states[info.status ?? 0] ?? 'UNSPECIFIED'
}

/** What a workflow waits for now. */
export function pendingOf(raw: WorkflowExecutionDescription['raw']): Saga['pending'] {
  return (raw.pendingActivities ?? []).map((pending) => ({
    activity_id: pending.activityId ?? '',
    state: pendingStates[pending.state ?? 0] ?? 'UNSPECIFIED',
    attempt: pending.attempt ?? 0,
    last_failure: pending.lastFailure?.message ?? null,
    next_attempt_at: timeOf(pending.nextAttemptScheduleTime),
  }))
}

function toSummary(info: RawWorkflowExecutionInfo): SagaSummary {
  const attribute = (name: string) => attributeOf(info, name)
  return {
    purchase_id: purchaseIdOf(info.execution?.workflowId ?? ''),
    run_id: info.execution?.runId ?? '',
    state: stateOf(info),
    status: attribute(purchaseStatus.name),
    failed_step: attribute(failedStep.name),
    reason: attribute(failureReason.name),
    started_at: timeOf(info.startTime),
    closed_at: timeOf(info.closeTime),
  }
}

/** A protobuf timestamp as an ISO date; null when there is none. */
export function timeOf(timestamp: RawWorkflowExecutionInfo['startTime']): string | null {
  if (!timestamp) return null
  const { seconds, nanos } = timestamp
  return new Date(Number(seconds ?? 0) * 1_000 + (nanos ?? 0) / 1_000_000).toISOString()
}
