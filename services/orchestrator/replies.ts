import { ActivityNotFoundError, type Client } from '@temporalio/client'
import type { Counter } from 'prom-client'
import type { KafkaClient } from '../../shared/kafka.ts'
import type { Logger } from '../../shared/logger.ts'
import { parseHeaders, parseReply } from '../../shared/messages.ts'
import type { createReplyWaiters } from './reply-waiters.ts'

type Deps = {
  kafka: Pick<KafkaClient, 'consume'>
  client: Client
  waiters: Pick<ReturnType<typeof createReplyWaiters>, 'answer'>
  lateReplies: Counter
  logger: Logger
}

/**
 * Hands each reply to the step that waits for it in this process, or else completes its activity. A reply whose
 * activity is gone is late or a duplicate, and is counted and dropped: if the step still waits, its next attempt gets
 * the stored reply.
 */
export function consumeReplies({ kafka, client, waiters, lateReplies, logger }: Deps) {
  return kafka.consume({
    group: 'orchestrator-replies',
    topics: ['replies'],
    async handle(message) {
      const { command, command_id, purchase_id, workflow_id, run_id, activity_id } =
        parseHeaders(message)
      const reply = parseReply(command, message)
      if (waiters.answer(command_id, reply)) return
      const activity = { workflowId: workflow_id, runId: run_id, activityId: activity_id }
      try {
        await client.activity.complete(activity, reply)
      } catch (error) {
        if (!(error instanceof ActivityNotFoundError)) throw error
        lateReplies.inc({ command })
        logger.info({ purchase_id, command_id }, 'reply dropped: nobody waits for it')
      }
    },
  })
}
