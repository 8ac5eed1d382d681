import { commands } from '../../shared/contracts/commands.ts'
import { isOfPurchase } from '../../shared/contracts/steps.ts'
import type { KafkaClient } from '../../shared/kafka/client.ts'
import { backgroundPaceMs } from '../../shared/messaging/bus.ts'
import type { EventHandlers } from '../../shared/messaging/event-handler.ts'
import { parseHeaders, parseReply } from '../../shared/messaging/messages.ts'
import type { PurchaseProgress } from './progress.ts'
import type { PurchaseService } from './service.ts'

export function createEventHandlers({
  progress,
  audit,
  refunds,
}: Pick<PurchaseService, 'progress' | 'audit' | 'refunds'>): EventHandlers {
  return {
    purchaseEnded: (ended) => progress.end(ended),
    attentionNeeded: ({ purchase_id, reason }) => progress.flag(purchase_id, reason),
    refundEnded: (ended) => refunds.end(ended),
    operatorActed: (acted) => audit.add(acted),
  }
}

/**
 * Every reply of a participant to a purchase's saga is a step of a purchase's progress; it needs no announcement of
 * its own.
 */
export function consumeProgress(
  kafka: Pick<KafkaClient, 'consume'>,
  progress: Pick<PurchaseProgress, 'addStep'>,
) {
  return kafka.consume({
    group: 'purchase-progress',
    topics: ['replies'],
    paceMs: backgroundPaceMs,
    async handle(message) {
      const { command, purchase_id } = parseHeaders(message)
      if (!isOfPurchase(command)) return
      const reply = parseReply(command, message)
      const { step, sequence } = commands[command]
      await progress.addStep({
        purchaseId: purchase_id,
        sequence,
        name: step,
        outcome: reply.outcome,
        reason: reply.outcome === 'rejected' ? reply.reason : null,
        at: new Date(message.timestamp),
      })
    },
  })
}
