import { type EventBody, type EventName, events } from '../contracts/events.ts'
import type { Topic } from '../contracts/topics.ts'
import type { Bus, ConsumeOptions, Message } from './bus.ts'
import { parseEvent } from './messages.ts'

/** What a service does with an event; it must tolerate the same event twice. */
export type EventHandlers = {
  [N in EventName]?: (body: EventBody<N>, message: Message) => Promise<void>
}

/** Consumes the topics of the given events, and ignores events without a handler. */
export function consumeEvents(
  bus: Pick<Bus, 'consume'>,
  {
    group,
    handlers,
    ...options
  }: { group: string; handlers: EventHandlers } & Pick<ConsumeOptions, 'onPoison' | 'paceMs'>,
) {
  const names = Object.keys(handlers) as EventName[]
  const topics = [...new Set<Topic>(names.map((name) => events[name].topic))]

  return bus.consume({
    group,
    topics,
    ...options,
    async handle(message) {
      const event = parseEvent(message)
      if (!event) return
      const { name, body } = event
      const handler = handlers[name] as
        | ((body: unknown, message: Message) => Promise<void>)
        | undefined
      await handler?.(body, message)
    },
  })
}
