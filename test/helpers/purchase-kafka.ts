import { consumeProgress, createEventHandlers } from '../../services/purchase/events.ts'
import { commands } from '../../shared/contracts/commands.ts'
import { commandId } from '../../shared/contracts/ids.ts'
import type { CommandName } from '../../shared/contracts/steps.ts'
import { consumeEvents } from '../../shared/messaging/event-handler.ts'
import { sendReply } from '../../shared/messaging/messages.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import { openPurchaseHttp } from './purchase-http.ts'
import { createTestTopics } from './topics.ts'

/** The HTTP side of purchase with topics of its own: it announces purchases there, and reads replies and ends. */
export async function openPurchaseOnKafka() {
  await using opening = new AsyncDisposableStack()
  const topics = opening.adopt(await createTestTopics(), (open) => open.close())
  const published = await topics.read('purchases')
  const kafka = opening.adopt(await topics.connect('purchase'), (open) => open.close())
  /** The keys of what is on its way to Kafka or there. */
  const sent: string[] = []
  let isUnavailable = false
  const shop = opening.adopt(
    await openPurchaseHttp({
      // Without the deadline for a customer: what Kafka takes late would be published twice.
      publish: (topic, message) => {
        if (isUnavailable)
          return Promise.reject(new AppError('unavailable', 'Kafka is unavailable'))
        sent.push(message.key)
        return kafka.publish(topic, message)
      },
    }),
    (open) => open.close(),
  )
  await consumeProgress(kafka, shop.service.progress)
  const handlers = createEventHandlers(shop.service)
  await consumeEvents(kafka, { group: 'purchase-results', handlers })

  const opened = opening.move()
  return {
    ...shop,
    kafka,
    sent,

    /** Whether the service reaches Kafka. */
    setKafka(state: 'available' | 'unavailable'): void {
      isUnavailable = state === 'unavailable'
    },

    /** What was published of a purchase. */
    eventsOf: (id: string) => published.filter(({ key }) => key === id),

    /** The reply of a participant. */
    reply(id: string, command: CommandName, body: Parameters<typeof sendReply>[2]) {
      const { step } = commands[command]
      const headers = {
        command,
        command_id: commandId(id, step),
        purchase_id: id,
        workflow_id: 'workflow',
        run_id: '0190a1b2-0000-7000-8000-000000000001',
        activity_id: step,
      }
      return sendReply(kafka.publish, headers, body)
    },

    close: () => opened.disposeAsync(),
  }
}

export type PurchaseOnKafka = Awaited<ReturnType<typeof openPurchaseOnKafka>>
