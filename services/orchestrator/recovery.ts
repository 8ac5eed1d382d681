import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import { arrayFromPayloads, defaultPayloadConverter } from '@temporalio/common'
import type { History } from '@temporalio/common/lib/proto-utils.js'
import { LRUCache } from 'lru-cache'
import type { Counter, Gauge } from 'prom-client'
import type {
  AttentionNeeded,
  OperatorActed,
  PurchaseEnded,
} from '../../shared/contracts/events.ts'
import { announceEndId, cancelUpdateId, sagaUpdates } from '../../shared/contracts/saga.ts'
import { purchaseIdOf, purchaseWorkflowId } from '../../shared/ids.ts'
import type { Logger } from '../../shared/logger.ts'
import type { finishPurchase } from '../../workflows/index.ts'
import { sagaStart } from './sagas.ts'

type Deps = {
  client: Client
  /** A saga that runs for longer is shown to an operator. */
  overdueMs: number
  flag: (needed: AttentionNeeded) => Promise<void>
  note: (acted: OperatorActed) => Promise<void>
  needAttention: Gauge
  recovered: Counter
  logger: Logger
}

/** What no saga ends as by itself: it returns, whatever happens to its purchase. */
const brokenStates = new Set(['TERMINATED', 'FAILED', 'TIMED_OUT', 'CANCELLED'])
const brokenQuery = `ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut', 'Canceled')`
const attentionQuery = `ExecutionStatus = 'Running' AND PurchaseStatus = 'NEEDS_ATTENTION'`
/** A saga that was ended that often needs somebody to look. */
const maxRuns = 5
const wishDeadlineMs = 5_000
/** What is forgotten is looked at, or flagged, once more, which changes nothing. */
const maxRemembered = 10_000

/**
 * Looks after sagas that were ended from outside, and those that do not end. Everything here may be done by several
 * replicas at once: a run is taken up again under a request id of its own, once.
 */
export function createRecovery({ client, overdueMs, flag, note, ...deps }: Deps) {
  const { logger, needAttention, recovered } = deps
  const { workflowService, options } = client.workflow
  const { namespace } = options
  /** Runs that need nothing more: an index entry of a closed run stays for a month. */
  const settled = new LRUCache<string, true>({ max: maxRemembered })
  const flagged = new LRUCache<string, true>({ max: maxRemembered })

  async function flagOnce(purchaseId: string, reason: AttentionNeeded['reason']): Promise<void> {
    const key = `${purchaseId}/${reason}`
    if (flagged.has(key)) return
    await flag({ purchase_id: purchaseId, steps: [], reason })
    flagged.set(key, true)
    logger.error({ purchase_id: purchaseId, reason }, 'saga needs attention')
  }

  /** The run goes on from the last decision in its history. What it asks for again, the inboxes answer. */
  async function reset(workflowId: string, runId: string, taskId: number): Promise<string> {
    const { runId: newRunId } = await workflowService.resetWorkflowExecution({
      namespace,
      workflowExecution: { workflowId, runId },
      reason: 'ended from outside',
      workflowTaskFinishEventId: taskId as never,
      requestId: `${runId}/reset`,
    })
    return newRunId
  }

  /** Nothing was decided yet: the same purchase is started once more. */
  async function startAgain(workflowId: string, history: History): Promise<string> {
    const started = history.events?.[0]?.workflowExecutionStartedEventAttributes
    const args = arrayFromPayloads(defaultPayloadConverter, started?.input?.payloads)
    const handle = await client.workflow.start(started?.workflowType?.name ?? '', {
      ...afterBroken(workflowId),
      args,
    })
    return handle.firstExecutionRunId
  }

  /** The end was decided: it is announced once more, whatever the participants would answer now. */
  async function finish(workflowId: string, ended: PurchaseEnded): Promise<string> {
    const handle = await client.workflow.start<typeof finishPurchase>('finishPurchase', {
      ...afterBroken(workflowId),
      args: [ended],
    })
    return handle.firstExecutionRunId
  }

  /** Who ended it wanted it to end: it is undone, unless it is paid for. */
  async function wishToCancel(workflowId: string, runId: string): Promise<void> {
    try {
      await client.withDeadline(Date.now() + wishDeadlineMs, () =>
        client.workflow.getHandle(workflowId, runId).executeUpdate(sagaUpdates.cancel, {
          updateId: cancelUpdateId,
          args: [null],
        }),
      )
    } catch (err) {
      logger.warn({ err, workflow_id: workflowId }, 'the saga goes on without the wish to cancel')
    }
  }

  /**
   * Takes a purchase's saga up again when it was ended from outside. False when it was ended too often; `insist`: an
   * operator asks for it. Does nothing when it runs or has returned.
   */
  async function recover(purchaseId: string, { insist = false } = {}): Promise<boolean> {
    const workflowId = purchaseWorkflowId(purchaseId)
    const found = await client.workflow.getHandle(workflowId).describe()
    if (!brokenStates.has(found.status.name)) return true
    const { runId, type } = found
    const { count } = await client.workflow.count(`WorkflowId = '${workflowId}'`)
    if (count > maxRuns && !insist) {
      await flagOnce(purchaseId, 'saga_broken')
      return false
    }
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory()
    const ended = decidedEnd(history)
    const decision = history.events?.findLast((event) => event.workflowTaskCompletedEventAttributes)
    const newRunId = ended
      ? await finish(workflowId, ended)
      : decision
        ? await reset(workflowId, runId, Number(decision.eventId))
        : await startAgain(workflowId, history)
    logger.warn(
      { purchase_id: purchaseId, status: found.status.name, new_run_id: newRunId },
      'saga was ended from outside and goes on',
    )
    recovered.inc()
    if (type === 'purchase' && !ended) await wishToCancel(workflowId, newRunId)
    await note({
      action_id: `${runId}/reset`,
      purchase_id: purchaseId,
      operator: 'sweep',
      action: 'reset',
      step: null,
      note: `the run before was ${found.status.name}`,
      at: new Date().toISOString(),
    })
    return true
  }

  async function recoverBroken(): Promise<void> {
    for await (const { workflowId, runId } of client.workflow.list({ query: brokenQuery })) {
      if (settled.has(runId)) continue
      const purchaseId = purchaseIdOf(workflowId)
      try {
        if (await recover(purchaseId)) settled.set(runId, true)
      } catch (err) {
        if (err instanceof WorkflowNotFoundError) settled.set(runId, true)
        else logger.error({ err, purchase_id: purchaseId }, 'saga could not be taken up again')
      }
    }
  }

  async function flagOverdue(): Promise<void> {
    const before = new Date(Date.now() - overdueMs).toISOString()
    const query = `ExecutionStatus = 'Running' AND StartTime < '${before}' AND PurchaseStatus != 'NEEDS_ATTENTION'`
    for await (const { workflowId } of client.workflow.list({ query })) {
      await flagOnce(purchaseIdOf(workflowId), 'saga_overdue')
    }
  }

  return {
    recover,
    flag: flagOnce,
    isBroken: (status: string): boolean => brokenStates.has(status),
    async sweep(): Promise<void> {
      await recoverBroken()
      await flagOverdue()
      needAttention.set((await client.workflow.count(attentionQuery)).count)
    },
  }
}

export type Recovery = ReturnType<typeof createRecovery>

/** A run that takes the place of one that was ended from outside. */
function afterBroken(workflowId: string) {
  return {
    ...sagaStart(workflowId),
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
  } as const
}

/** How the purchase ends, if its saga has said so. A reset would drop that, with all that its last task did. */
function decidedEnd({ events }: History): PurchaseEnded | undefined {
  const scheduled = events?.findLast(
    (event) => event.activityTaskScheduledEventAttributes?.activityId === announceEndId,
  )
  const input = scheduled?.activityTaskScheduledEventAttributes?.input?.payloads
  return arrayFromPayloads(defaultPayloadConverter, input)[0] as PurchaseEnded | undefined
}
