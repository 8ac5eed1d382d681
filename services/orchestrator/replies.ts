import { ActivityNotFoundError, type Client } from '@temporalio/client'
import type { Counter } from 'prom-client'
import type { StepReply } from '../../shared/contracts/saga.ts'
import type { KafkaClient } from '../../shared/kafka/client.ts'
import { parseHeaders, parseReply } from '../../shared/messaging/messages.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { createReplyWaiters } from './worker/reply-waiters.ts'

type Deps = {
  kafka: Pick<KafkaClient, 'consume'>
  client: Client
  waiters: Pick<ReturnType<typeof createReplyWaiters>, 'answer'>
  /** Whether this process waits for a cancel Update of the purchase. */
  isCancelPending: (purchaseId: string) => boolean
  lateReplies: Counter
  logger: Logger
}

/**
 * Hands each reply to the step that waits for it in this process, or else completes its activity. A reply whose
 * activity is gone is late or a duplicate, and is counted and dropped: if the step still waits, its next attempt gets
 * the stored reply.
 */
export function consumeReplies(deps: Deps) {
  const { kafka, client, waiters, isCancelPending, lateReplies, logger } = deps
  return kafka.consume({
    group: 'orchestrator-replies',
    topics: ['replies'],
    async handle(message) {
      const { command, command_id, purchase_id, workflow_id, run_id, activity_id } =
        parseHeaders(message)
      const reply: StepReply = {
        ...parseReply(command, message),
        answered_at: new Date(message.timestamp).toISOString(),
      }
      const hint = isCancelPending(purchase_id) && { cancel_pending: true }
      if (waiters.answer(command_id, { ...reply, ...hint })) return
      const activity = { workflowId: workflow_id, runId: run_id, activityId: activity_id }
      try {
        await client.activity.complete(activity, reply)
      } catch (error) {
        if (!(error instanceof ActivityNotFoundError)) throw error
        lateReplies.inc({ command })
        logger.info({ purchase_id, command_id }, 'reply dropped: no step waits for it')
      }
    },
  })
}
