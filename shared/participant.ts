import { z } from 'zod'
import {
  type AnyReply,
  type CommandName,
  type CommandsOn,
  commands,
  type Reply,
  type Request,
} from './contracts/commands.ts'
import { eventHeader } from './contracts/envelope.ts'
import type { Topic } from './contracts/topics.ts'
import { PoisonError } from './faults.ts'
import type { KafkaClient, Message } from './kafka.ts'
import type { Logger } from './logger.ts'
import { invalidCommand, parseHeaders, parseRequest, sendEvent, sendReply } from './messages.ts'

/** A command as a handler sees it. `deadline` is epoch ms; only a do has one. */
export type Command<N extends CommandName> = {
  name: N
  commandId: string
  purchaseId: string
  deadline: number | undefined
  body: Request<N>
}

/** One function per command of the participant's topic: a missing one does not compile. */
export type CommandHandlers<T extends Topic> = {
  [N in CommandsOn<T>]: (command: Command<N>) => Promise<Reply<N>>
}

/**
 * Consumes a participant's commands: handle (one transaction with the inbox), send the reply, commit the offset,
 * in that order, so that a crash anywhere repeats the message and the inbox answers it.
 */
export function consumeCommands<T extends Topic>(
  kafka: Pick<KafkaClient, 'consume' | 'publish'>,
  {
    group,
    topic,
    handlers,
    logger,
  }: { group: string; topic: T; handlers: CommandHandlers<T>; logger: Logger },
) {
  const handlerOf = handlers as Record<
    string,
    ((command: unknown) => Promise<AnyReply>) | undefined
  >

  return kafka.consume({
    group,
    topics: [topic],
    async handle(message) {
      const headers = parseHeaders(message)
      const handler = Object.hasOwn(handlers, headers.command) && handlerOf[headers.command]
      if (!handler) throw new PoisonError(`${headers.command} is not a command of ${topic}`)
      const { command: name, command_id, purchase_id, deadline } = headers
      const reply = await handler({
        name,
        commandId: command_id,
        purchaseId: purchase_id,
        deadline,
        body: parseRequest(name, message),
      } satisfies Command<CommandName>)
      await sendReply(kafka.publish, headers, reply)
      logger.info({ purchase_id, command_id, outcome: reply.outcome }, 'command handled')
    },
    onPoison: (message) => answerPoison(kafka.publish, message),
  })
}

/**
 * A poisoned do is refused, so that its saga undoes at once. A poisoned undo must never look as if it were done: its
 * saga waits, and an operator is told.
 */
async function answerPoison(publish: KafkaClient['publish'], message: Message) {
  let headers: ReturnType<typeof parseHeaders>
  try {
    headers = parseHeaders(message)
  } catch {
    return
  }
  const { command, purchase_id } = headers
  if (!('undoes' in commands[command])) return sendReply(publish, headers, invalidCommand)
  const { step } = commands[command]
  await sendEvent(publish, 'attentionNeeded', {
    purchase_id,
    steps: [step],
    reason: 'undo_poisoned',
  })
}

/** The end of a purchase that a participant cannot settle: an operator is told, as far as the purchase is known. */
export async function flagPoisonedEnd(
  publish: KafkaClient['publish'],
  { headers }: Message,
): Promise<void> {
  const id = z.uuid().safeParse(headers.purchase_id)
  if (!id.success || headers[eventHeader] !== 'purchaseEnded') return
  await sendEvent(publish, 'attentionNeeded', {
    purchase_id: id.data,
    steps: [],
    reason: 'settlement_poisoned',
  })
}
