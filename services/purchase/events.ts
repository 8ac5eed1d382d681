import { commands } from '../../shared/contracts/commands.ts'
import type { KafkaClient } from '../../shared/kafka.ts'
import { parseHeaders, parseReply } from '../../shared/messages.ts'
import type { EventHandlers } from '../../shared/subscriber.ts'
import type { PurchaseService } from './service.ts'

export function createEventHandlers(service: PurchaseService): EventHandlers {
  return {
    purchaseEnded: (ended) => service.end(ended),
    attentionNeeded: ({ purchase_id }) => service.flag(purchase_id),
    operatorActed: (acted) => service.noteAction(acted),
  }
}

/** Every reply of a participant is a step of a purchase's progress; nobody has to announce it once more. */
export function consumeProgress(kafka: Pick<KafkaClient, 'consume'>, service: PurchaseService) {
  return kafka.consume({
    group: 'purchase-progress',
    topics: ['replies'],
    async handle(message) {
      const { command, purchase_id } = parseHeaders(message)
      const reply = parseReply(command, message)
      const { step, sequence } = commands[command]
      await service.addProgress({
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
