import type { KafkaClient } from '../../shared/kafka/client.ts'
import { backgroundPaceMs } from '../../shared/messaging/bus.ts'
import { parseEvent } from '../../shared/messaging/messages.ts'
import type { Sender } from './sender.ts'

/** Sends e-mails per address in the order of their requests: the address is the key of the messages. */
export function consumeEmails(kafka: Pick<KafkaClient, 'consume'>, sender: Sender) {
  return kafka.consume({
    group: 'mail',
    topics: ['emails'],
    paceMs: backgroundPaceMs,
    async handle(message) {
      const event = parseEvent(message)
      if (event?.name === 'emailRequested') await sender.send(event.body, message.timestamp)
    },
  })
}
