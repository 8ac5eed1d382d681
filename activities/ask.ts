import { ApplicationFailure, activityInfo, CompleteAsyncError } from '@temporalio/activity'
import {
  type AnyReply,
  type CommandName,
  commands,
  type Reply,
  type Request,
} from '../shared/contracts/commands.ts'
import { cancelWish } from '../shared/contracts/saga.ts'
import { commandId, traceparent } from '../shared/ids.ts'
import { type Publish, sendCommand } from '../shared/messages.ts'

/** Where a step can wait for its reply in the process that asks. */
export type ReplyWaiters = {
  /** Whether replies of this purchase come to this process. */
  comeHere(purchaseId: string): boolean
  /** Whether the customer wishes to cancel this purchase, as far as this process has heard. */
  isUnwanted(purchaseId: string): boolean
  /** Resolves with the reply to a command, or undefined when none has come in time. */
  wait(commandId: string, timeoutMs: number): Promise<AnyReply | undefined>
}

/** What the activities need of the world. */
export type ActivityDeps = { publish: Publish; replies: ReplyWaiters }

/**
 * Sends a command. A retry, and the same step taken the other way, send the same command id again, and the
 * participant's inbox answers.
 *
 * As a local activity it waits for the reply in this process, no longer than its start-to-close timeout, and fails
 * when there is none: nothing is lost, since the workflow then takes the other way. When the customer wishes to cancel
 * it sends nothing and fails as `cancelWish`. On the other way the activity is left open
 * by CompleteAsyncError, and whichever orchestrator replica reads the reply completes it by workflow id + run id +
 * activity id. Throws AppError('unavailable') when Kafka does not take the command.
 */
export async function ask<N extends CommandName>(
  { publish, replies }: ActivityDeps,
  name: N,
  purchaseId: string,
  body: Request<N>,
): Promise<Reply<N>> {
  const info = activityInfo()
  const { step } = commands[name]
  const headers = {
    command_id: commandId(purchaseId, step),
    purchase_id: purchaseId,
    workflow_id: info.workflowExecution?.workflowId ?? '',
    run_id: info.workflowExecution?.runId ?? '',
    // A reply that comes too late for the wait here finds the activity that is completed by id.
    activity_id: info.isLocal ? step : info.activityId,
    traceparent: traceparent(purchaseId),
    // Only a do has an end of all attempts, and past it nobody waits for its effect.
    ...(info.scheduleToCloseTimeoutMs &&
      !('undoes' in commands[name]) && {
        deadline: info.scheduledTimestampMs + info.scheduleToCloseTimeoutMs,
      }),
  }
  const timeoutMs = info.startToCloseTimeoutMs
  if (!info.isLocal) {
    await sendCommand(publish, name, headers, body, timeoutMs)
    throw new CompleteAsyncError()
  }
  if (replies.isUnwanted(purchaseId)) {
    throw ApplicationFailure.create({ type: cancelWish, message: 'cancelled', nonRetryable: true })
  }
  if (!replies.comeHere(purchaseId)) throw noReplyHere('replies do not come to this process')
  const reply = replies.wait(headers.command_id, timeoutMs)
  await sendCommand(publish, name, headers, body, timeoutMs)
  return ((await reply) ?? failLate(timeoutMs)) as Reply<N>
}

function failLate(timeoutMs: number): never {
  throw noReplyHere(`no reply in ${timeoutMs} ms`)
}

/** Tells the workflow, and who reads its history, why the step goes the other way. */
function noReplyHere(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'NoReplyHere', message, nonRetryable: true })
}
