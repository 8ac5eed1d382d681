import { type EventBody, type EventName, events } from './contracts/events.ts'
import type { Topic } from './contracts/topics.ts'
import type { ConsumeOptions, KafkaClient } from './kafka.ts'
import { parseEvent } from './messages.ts'

/** What a service does when it hears of an event; it must bear hearing of it twice. */
export type EventHandlers = { [N in EventName]?: (body: EventBody<N>) => Promise<void> }

/** Consumes the topics of the given events; an event on them without a handler is somebody else's business. */
export function consumeEvents(
  kafka: Pick<KafkaClient, 'consume'>,
  {
    group,
    handlers,
    onPoison,
  }: { group: string; handlers: EventHandlers; onPoison?: ConsumeOptions['onPoison'] },
) {
  const names = Object.keys(handlers) as EventName[]
  const topics = [...new Set<Topic>(names.map((name) => events[name].topic))]

  return kafka.consume({
    group,
    topics,
    onPoison,
    async handle(message) {
      const { name, body } = parseEvent(message)
      const handler = handlers[name] as ((body: unknown) => Promise<void>) | undefined
      await handler?.(body)
    },
  })
}
