import {
  type CommandName,
  commands,
  type DoName,
  type Rejected,
  type Reply,
  type UndoName,
} from './contracts/commands.ts'
import { commandId } from './ids.ts'
import type { Command } from './participant.ts'

/** What of a Prisma transaction the inbox needs; every participant's database has the same inbox table. */
export type Sql = {
  $queryRaw<T>(query: TemplateStringsArray, ...values: unknown[]): PromiseLike<T>
  $executeRaw(query: TemplateStringsArray, ...values: unknown[]): PromiseLike<number>
}

/** The answer to a do whose undo came first. */
const undone: Rejected = { outcome: 'rejected', reason: 'undone' }
const expired: Rejected = { outcome: 'rejected', reason: 'expired' }

type Row<N extends CommandName> = { reply: Reply<N> | null; undone: boolean }

/**
 * Claims a command in the caller's transaction. The unique index makes it wait for another transaction that has
 * the same command, or its undo, open. `claimed`: it is ours to do. Otherwise `reply` is what the first delivery
 * answered, or null when that one never came to an answer.
 */
export async function claim<N extends CommandName>(
  tx: Sql,
  command: Command<N>,
): Promise<{ claimed: true } | { claimed: false; reply: Reply<N> | Rejected | null }> {
  const inserted = await tx.$executeRaw`
    INSERT INTO inbox (command_id) VALUES (${command.commandId}) ON CONFLICT DO NOTHING`
  if (inserted === 1) return { claimed: true }
  const rows = await tx.$queryRaw<Row<N>[]>`
    SELECT reply, undone FROM inbox WHERE command_id = ${command.commandId} FOR UPDATE`
  const row = rows[0]
  return { claimed: false, reply: row?.undone ? undone : (row?.reply ?? null) }
}

/** Stores the reply that every later delivery of the command gets. */
export async function storeReply<N extends CommandName>(
  tx: Sql,
  command: Command<N>,
  reply: Reply<N> | Rejected,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE inbox SET reply = ${JSON.stringify(reply)}::jsonb WHERE command_id = ${command.commandId}`
}

/**
 * Handles a do in one transaction: its effect happens once, a repeat gets the stored reply, and one whose undo
 * came first is refused without effect. `effect` must leave nothing behind when it answers `rejected`.
 */
export async function handleDo<N extends DoName>(
  tx: Sql,
  command: Command<N>,
  effect: () => Promise<Reply<N> | Rejected>,
): Promise<Reply<N> | Rejected> {
  const claimed = await claim(tx, command)
  if (!claimed.claimed && claimed.reply) return claimed.reply
  const reply = isExpired(command) ? expired : await effect()
  await storeReply(tx, command, reply)
  return reply
}

/** Whether nobody waits any more for a do. An undo never expires. */
export function isExpired(command: Command<CommandName>): boolean {
  return command.deadline !== undefined && Date.now() > command.deadline
}

/**
 * Marks the do of an undo as undone. The row is the tombstone that refuses a late do; inserting it waits for a do
 * that is still open. Returns the do's reply: null when it did not happen or has no answer yet.
 */
export async function entomb<N extends UndoName>(
  tx: Sql,
  command: Command<N>,
): Promise<{ seen: boolean; reply: Reply<DoName> | null }> {
  const doId = commandId(command.purchaseId, commands[commands[command.name].undoes].step)
  const inserted = await tx.$executeRaw`
    INSERT INTO inbox (command_id, undone) VALUES (${doId}, true) ON CONFLICT DO NOTHING`
  if (inserted === 1) return { seen: false, reply: null }
  const rows = await tx.$queryRaw<{ reply: Reply<DoName> | null }[]>`
    UPDATE inbox SET undone = true WHERE command_id = ${doId} RETURNING reply`
  return { seen: true, reply: rows[0]?.reply ?? null }
}

/** Handles an undo in one transaction: `revert` runs once, and only when the do took effect. */
export async function handleUndo<N extends UndoName>(
  tx: Sql,
  command: Command<N>,
  revert: () => Promise<void>,
): Promise<Reply<N>> {
  const done: Reply<UndoName> = { outcome: 'done' }
  const claimed = await claim(tx, command)
  if (!claimed.claimed && claimed.reply) return claimed.reply as Reply<N>
  const { reply } = await entomb(tx, command)
  if (reply?.outcome === 'done') await revert()
  await storeReply(tx, command, done as Reply<N>)
  return done as Reply<N>
}
