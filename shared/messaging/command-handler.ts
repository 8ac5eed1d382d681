import { z } from 'zod'
import type { AnyReply, Reply, Request } from '../contracts/commands.ts'
import { eventHeader } from '../contracts/envelope.ts'
import {
  type AnyCommandName,
  anyCommandSteps,
  type CommandsOn,
  type CommandTopic,
  isDo,
  isUndo,
} from '../contracts/steps.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Bus, Message, Publish } from './bus.ts'
import { invalidCommand, parseHeaders, parseRequest, sendEvent, sendReply } from './messages.ts'
import { PoisonError } from './poison.ts'

/** A command as a handler sees it. `deadline` is epoch ms; only a do has one. */
export type Command<N extends AnyCommandName> = {
  name: N
  commandId: string
  purchaseId: string
  deadline: number | undefined
  body: Request<N>
}

/** One function per command of the participant's topic: a missing one does not compile. */
export type CommandHandlers<T extends CommandTopic> = {
  [N in CommandsOn<T>]: (command: Command<N>) => Promise<Reply<N>>
}

/**
 * Consumes a participant's commands: handle (one transaction with the inbox), send the reply, commit the offset,
 * in that order, so that a crash anywhere repeats the message and the inbox answers it.
 */
export function consumeCommands<T extends CommandTopic>(
  bus: Bus,
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

  return bus.consume({
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
      } satisfies Command<AnyCommandName>)
      await sendReply(bus.publish, headers, reply)
      const reason = reply.outcome === 'rejected' ? reply.reason : undefined
      logger.info({ purchase_id, command_id, outcome: reply.outcome, reason }, 'command handled')
    },
    onPoison: (message) => answerPoison(bus.publish, message),
  })
}

/**
 * A poisoned do is refused, so that its saga undoes at once. A poisoned undo, or step of a refund, must count neither
 * as done nor as refused: its saga waits, and an operator is notified.
 */
async function answerPoison(publish: Publish, message: Message) {
  let headers: ReturnType<typeof parseHeaders>
  try {
    headers = parseHeaders(message)
  } catch {
    return
  }
  const { command, purchase_id } = headers
  if (isDo(command)) return sendReply(publish, headers, invalidCommand)
  const { step } = anyCommandSteps[command]
  await sendEvent(publish, 'attentionNeeded', {
    purchase_id,
    steps: [step],
    reason: isUndo(command) ? 'undo_poisoned' : 'refund_stuck',
  })
}

/** An end that a participant cannot settle: notifies an operator, if the purchase is known. */
export async function flagPoisonedEnd(publish: Publish, { headers }: Message): Promise<void> {
  const id = z.uuid().safeParse(headers.purchase_id)
  if (!id.success || headers[eventHeader] !== 'purchaseEnded') return
  await sendEvent(publish, 'attentionNeeded', {
    purchase_id: id.data,
    steps: [],
    reason: 'settlement_poisoned',
  })
}
