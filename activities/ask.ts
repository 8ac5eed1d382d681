import { activityInfo, CompleteAsyncError } from '@temporalio/activity'
import {
  type CommandName,
  commands,
  type Reply,
  type Request,
} from '../shared/contracts/commands.ts'
import { commandId, traceparent } from '../shared/ids.ts'
import { type Publish, sendCommand } from '../shared/messages.ts'

/** What the activities need of the world. */
export type ActivityDeps = { publish: Publish }

/**
 * Sends a command and leaves the activity open: whichever orchestrator replica reads the reply completes it by
 * workflow id + run id + activity id. A retry sends the same command id again, and the participant's inbox
 * answers. Throws CompleteAsyncError, or AppError('unavailable') when Kafka does not take the command.
 */
export async function ask<N extends CommandName>(
  { publish }: ActivityDeps,
  name: N,
  purchaseId: string,
  body: Request<N>,
): Promise<Reply<N>> {
  const info = activityInfo()
  const headers = {
    command_id: commandId(purchaseId, commands[name].step),
    purchase_id: purchaseId,
    workflow_id: info.workflowExecution?.workflowId ?? '',
    run_id: info.workflowExecution?.runId ?? '',
    activity_id: info.activityId,
    traceparent: traceparent(purchaseId),
    // Only a do has an end of all attempts, and past it nobody waits for its effect.
    ...(info.scheduleToCloseTimeoutMs &&
      !('undoes' in commands[name]) && {
        deadline: info.scheduledTimestampMs + info.scheduleToCloseTimeoutMs,
      }),
  }
  await sendCommand(publish, name, headers, body, info.startToCloseTimeoutMs)
  throw new CompleteAsyncError()
}
