import type { Client } from '@temporalio/client'
import { arrayFromPayloads, defaultPayloadConverter } from '@temporalio/common'
import type { Counter } from 'prom-client'
import type {
  OperatorActed,
  PurchaseAccepted,
  PurchaseEnded,
} from '../../../shared/contracts/events.ts'
import { purchaseIdOf, purchaseWorkflowId } from '../../../shared/contracts/ids.ts'
import { announceEndId, cancelUpdateId, sagaUpdates } from '../../../shared/contracts/saga.ts'
import type { Logger } from '../../../shared/runtime/logger.ts'
import type { History } from '../../../shared/runtime/temporal.ts'
import type { finishPurchase } from '../../../workflows/index.ts'
import type { Attention } from './attention.ts'
import type { PendingCancels } from './pending-cancels.ts'
import type { PurchaseRows } from './purchase-rows.ts'
import { afterBroken, finishStart, sagaStart } from './start-options.ts'
import { isBroken } from './status.ts'
import { visibleStart } from './visibility.ts'

type Deps = {
  client: Client
  rows: Pick<PurchaseRows, 'stateOf'>
  pending: Pick<PendingCancels, 'during'>
  attention: Attention
  note: (acted: OperatorActed) => Promise<void>
  restarted: Counter
  logger: Logger
}

/** A saga that was ended this often needs an operator. */
const maxRuns = 5
const cancelDeadlineMs = 5_000

/**
 * Restarts sagas that were ended from outside. More than one replica may do it at once: a run is continued under a
 * request id of its own, once.
 */
export function createRecovery(deps: Deps) {
  const { client, rows, pending, attention, note, restarted, logger } = deps
  const { workflowService, options } = client.workflow
  const { namespace } = options

  /** The run continues from the last decision in its history. The inboxes answer repeated commands. */
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

  /** Nothing was decided yet: the saga of the same purchase is started again. */
  async function startAgain(workflowId: string, history: History): Promise<string> {
    const started = history.events?.[0]?.workflowExecutionStartedEventAttributes
    const args = arrayFromPayloads(defaultPayloadConverter, started?.input?.payloads)
    const type = started?.workflowType?.name ?? ''
    const handle = await client.workflow.start(type, {
      ...sagaStart(workflowId),
      ...afterBroken,
      ...(type === 'purchase' && visibleStart(args[0] as PurchaseAccepted, namespace)),
      args,
    })
    return handle.firstExecutionRunId
  }

  /** The outcome was decided: it is announced again, whatever the participants would answer now. */
  async function finish(ended: PurchaseEnded): Promise<string> {
    const handle = await client.workflow.start<typeof finishPurchase>('finishPurchase', {
      ...finishStart(ended),
      ...afterBroken,
    })
    return handle.firstExecutionRunId
  }

  /** Ending a saga from outside counts as a cancel request: the purchase is undone, unless it is paid for. */
  async function requestCancel(workflowId: string, runId: string): Promise<void> {
    const send = () =>
      client.workflow.getHandle(workflowId, runId).executeUpdate(sagaUpdates.cancel, {
        updateId: cancelUpdateId,
        args: [null],
      })
    try {
      await pending.during(purchaseIdOf(workflowId), () =>
        client.withDeadline(Date.now() + cancelDeadlineMs, send),
      )
    } catch (err) {
      logger.warn({ err, workflow_id: workflowId }, 'saga restarted without a cancel request')
    }
  }

  /**
   * Restarts a purchase's saga that was ended from outside: undone, unless it is paid for. An end that its row or its
   * history knows stays. False when it was ended too often; `insist`: an operator asks for it. Does nothing when the
   * saga runs or has returned. Throws WorkflowNotFoundError, and AppError('unavailable') without the purchase service.
   */
  async function recover(purchaseId: string, { insist = false } = {}): Promise<boolean> {
    const workflowId = purchaseWorkflowId(purchaseId)
    const found = await client.workflow.getHandle(workflowId).describe()
    if (!isBroken(found.status.name)) return true
    const { runId, type } = found
    const { count } = await client.workflow.count(`WorkflowId = '${workflowId}'`)
    if (count > maxRuns && !insist) {
      await attention.flag(purchaseId, 'saga_broken')
      return false
    }
    const row = await rows.stateOf(purchaseId)
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory()
    const ended = row?.ended ?? decidedEnd(history)
    const decision = history.events?.findLast((event) => event.workflowTaskCompletedEventAttributes)
    const newRunId = ended
      ? await finish(ended)
      : decision
        ? await reset(workflowId, runId, Number(decision.eventId))
        : await startAgain(workflowId, history)
    const { name: status } = found.status
    logger.warn({ purchase_id: purchaseId, status, new_run_id: newRunId }, 'saga restarted')
    restarted.inc({ cause: 'ended' })
    if (type === 'purchase' && !ended) await requestCancel(workflowId, newRunId)
    await note({
      action_id: `${runId}/reset`,
      purchase_id: purchaseId,
      operator: 'sweep',
      action: 'reset',
      step: null,
      note: `the run before was ${status}`,
      at: new Date().toISOString(),
    })
    return true
  }

  return { recover }
}

export type Recovery = ReturnType<typeof createRecovery>

/** How the purchase ends, if its saga has said so. A reset would drop that, with all that its last task did. */
function decidedEnd({ events }: History): PurchaseEnded | undefined {
  const scheduled = events?.findLast(
    (event) => event.activityTaskScheduledEventAttributes?.activityId === announceEndId,
  )
  const input = scheduled?.activityTaskScheduledEventAttributes?.input?.payloads
  return arrayFromPayloads(defaultPayloadConverter, input)[0] as PurchaseEnded | undefined
}
