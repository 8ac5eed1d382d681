import type { KafkaClient } from '../../shared/kafka.ts'
import { parseEvent } from '../../shared/messages.ts'
import type { Sender } from './sender.ts'

/** Sends what is asked for, per address in the order in which it was: the address is the key of the messages. */
export function consumeEmails(kafka: Pick<KafkaClient, 'consume'>, sender: Sender) {
  return kafka.consume({
    group: 'mail',
    topics: ['emails'],
    async handle(message) {
      const event = parseEvent(message)
      if (event.name === 'emailRequested') await sender.send(event.body, message.timestamp)
    },
  })
}
