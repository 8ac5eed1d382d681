import type { z } from 'zod'
import {
  type AnyReply,
  commands,
  type Rejected,
  type Reply,
  type Request,
} from '../contracts/commands.ts'
import { CommandHeaders, eventHeader } from '../contracts/envelope.ts'
import { type EventBody, type EventName, events, retiredEvents } from '../contracts/events.ts'
import type { AnyCommandName } from '../contracts/steps.ts'
import type { Topic } from '../contracts/topics.ts'
import type { Message, Publish } from './bus.ts'
import { PoisonError } from './poison.ts'

/** Sends a command, keyed by its purchase. `deadlineMs` bounds the wait for Kafka. */
export function sendCommand<N extends AnyCommandName>(
  publish: Publish,
  name: N,
  headers: Omit<CommandHeaders, 'command'>,
  body: Request<N>,
  deadlineMs?: number,
): Promise<void> {
  const message = {
    key: headers.purchase_id,
    headers: toHeaders({ ...headers, command: name }),
    value: JSON.stringify(body),
  }
  return publish(commands[name].topic, message, deadlineMs)
}

/** Answers a command with its own headers, so that any orchestrator replica can complete the activity. */
export function sendReply(publish: Publish, headers: CommandHeaders, reply: AnyReply) {
  const { deadline: _, ...rest } = headers
  return publish('replies', {
    key: headers.purchase_id,
    headers: toHeaders(rest),
    value: JSON.stringify(reply),
  })
}

/** Publishes a fact, keyed as its event says: by its purchase, as a rule. `headers` are added to those of every event. */
export function sendEvent<N extends EventName>(
  publish: Publish,
  name: N,
  body: EventBody<N>,
  deadlineMs?: number,
  headers: Record<string, string> = {},
): Promise<void> {
  const { topic, key = 'purchase_id' }: { topic: Topic; key?: string } = events[name]
  const fields = body as Record<string, unknown>
  const message = {
    key: String(fields[key]),
    headers: {
      ...headers,
      [eventHeader]: name,
      ...(typeof fields.purchase_id === 'string' && { purchase_id: fields.purchase_id }),
    },
    value: JSON.stringify(body),
  }
  return publish(topic, message, deadlineMs)
}

/** The headers of a command or reply. Throws PoisonError. */
export function parseHeaders(message: Message): CommandHeaders {
  return parseWith(CommandHeaders, message.headers, 'headers')
}

/** A command's body. Throws PoisonError. */
export function parseRequest<N extends AnyCommandName>(name: N, message: Message): Request<N> {
  return parseBody(commands[name].request, message) as Request<N>
}

/** The reply to a command. Throws PoisonError. */
export function parseReply<N extends AnyCommandName>(name: N, message: Message): Reply<N> {
  return parseBody(commands[name].reply, message) as Reply<N>
}

type Event = { [N in EventName]: { name: N; body: EventBody<N> } }[EventName]

/** What happened, on a topic of events, as a union to switch on; undefined for a retired event. Throws PoisonError. */
export function parseEvent(message: Message): Event | undefined {
  const name = message.headers[eventHeader] ?? ''
  if (retiredEvents.has(name)) return undefined
  if (!Object.hasOwn(events, name)) throw new PoisonError(`unknown event '${name}'`)
  const body = parseBody(events[name as EventName].body, message)
  return { name, body } as Event
}

/** The answer to a message that cannot be handled. */
export const invalidCommand: Rejected = { outcome: 'rejected', reason: 'invalid' }

/** A message may be wrong in ten thousand places. */
const maxPoisonCharacters = 1_000

function parseBody<T extends z.ZodType>(schema: T, message: Message): z.infer<T> {
  let value: unknown
  try {
    value = JSON.parse(message.value)
  } catch (cause) {
    throw new PoisonError('the value is not JSON', { cause })
  }
  return parseWith(schema, value, 'value')
}

function parseWith<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new PoisonError(`bad ${what}: ${problems.join('; ')}`.slice(0, maxPoisonCharacters))
}

function toHeaders(fields: Record<string, string | number | undefined>): Record<string, string> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]))
}
