import {
  ApplicationFailure,
  activityInfo,
  CompleteAsyncError,
  type Info,
} from '@temporalio/activity'
import type { AnyReply, Reply, Request } from '../shared/contracts/commands.ts'
import { commandId, traceparent } from '../shared/contracts/ids.ts'
import {
  type AnyCommandName,
  anyCommandSteps,
  type CommandsOn,
  type CommandTopic,
  isDo,
  type UndoName,
} from '../shared/contracts/steps.ts'
import type { Publish } from '../shared/messaging/bus.ts'
import { sendCommand } from '../shared/messaging/messages.ts'

/** Where a step can wait for its reply in the process that asks. */
export type ReplyWaiters = {
  /** Whether replies of this purchase come to this process. */
  comeHere(purchaseId: string): boolean
  /** Resolves with the reply to a command, or undefined when none has come in time. */
  wait(commandId: string, timeoutMs: number): Promise<AnyReply | undefined>
}

/** One function per command of a participant: a missing one does not compile. */
export type ActivitiesOn<T extends CommandTopic> = {
  [N in CommandsOn<T>]: N extends UndoName
    ? (purchaseId: string) => Promise<Reply<N>>
    : (purchaseId: string, body: Request<N>) => Promise<Reply<N>>
}

/**
 * How a command is sent: for the first time, on the fallback because no reply came to the process that asked, or again
 * by a later attempt.
 */
export type SentAs = 'first' | 'fallback' | 'again'

/** What the activities need of the world. */
export type ActivityDeps = {
  publish: Publish
  replies: ReplyWaiters
  /** Counts a command that is about to be sent. */
  onSend?: (name: AnyCommandName, as: SentAs) => void
}

/**
 * Sends the command of a step. A retry, and the same step on the fallback, send the same command id, and the
 * participant's inbox answers.
 *
 * As a local activity (the fast path) it resolves with the reply that comes to this process within the start-to-close
 * timeout. Otherwise it fails as `NoReplyHere`, and the workflow takes the fallback.
 *
 * As an activity (the fallback) it leaves the activity open by CompleteAsyncError: the orchestrator replica that reads
 * the reply completes it by workflow id, run id and activity id.
 *
 * `sagaId` names the saga in the command id: the purchase, or one of its refunds.
 *
 * Throws AppError('unavailable') when Kafka does not take the command in time.
 */
export async function ask<N extends AnyCommandName>(
  { publish, replies, onSend }: ActivityDeps,
  name: N,
  purchaseId: string,
  body: Request<N>,
  sagaId = purchaseId,
): Promise<Reply<N>> {
  const info = activityInfo()
  const timeoutMs = info.startToCloseTimeoutMs
  const headers = headersOf(info, name, purchaseId, sagaId)
  if (!info.isLocal) {
    onSend?.(name, sentAs(info, name))
    await sendCommand(publish, name, headers, body, timeoutMs)
    throw new CompleteAsyncError()
  }
  if (!replies.comeHere(purchaseId)) {
    throw failure('NoReplyHere', 'replies do not come to this process')
  }
  onSend?.(name, 'first')
  const replied = replies.wait(headers.command_id, timeoutMs)
  await sendCommand(publish, name, headers, body, timeoutMs)
  const reply = await replied
  if (!reply) throw failure('NoReplyHere', `no reply in ${timeoutMs} ms`)
  return reply as Reply<N>
}

/** An undo has no fast path. */
function sentAs({ attempt }: Pick<Info, 'attempt'>, name: AnyCommandName): SentAs {
  if (attempt > 1) return 'again'
  return isDo(name) ? 'fallback' : 'first'
}

function headersOf(info: Info, name: AnyCommandName, purchaseId: string, sagaId: string) {
  const { step } = anyCommandSteps[name]
  // Only a do has a limit for all attempts; after it no step waits for its effect.
  const bound = isDo(name) ? info.scheduleToCloseTimeoutMs : undefined
  return {
    command_id: commandId(sagaId, step),
    purchase_id: purchaseId,
    workflow_id: info.workflowExecution?.workflowId ?? '',
    run_id: info.workflowExecution?.runId ?? '',
    // A reply that comes too late for the fast path finds the activity of the fallback.
    activity_id: info.isLocal ? step : info.activityId,
    traceparent: traceparent(purchaseId),
    ...(bound && { deadline: info.scheduledTimestampMs + bound }),
  }
}

/** Shows the workflow, and readers of its history, why the fast path ended. It is not retried there. */
function failure(type: string, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true })
}
