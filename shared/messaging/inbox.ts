import type { Rejected, Reply } from '../contracts/commands.ts'
import { commandId } from '../contracts/ids.ts'
import {
  type AnyCommandName,
  commandSteps,
  type DoName,
  doOf,
  type UndoName,
} from '../contracts/steps.ts'
import { type Sql, sql } from '../database/sql.ts'
import type { Command } from './command-handler.ts'

/** The answer to a do whose undo came first. */
const undone: Rejected = { outcome: 'rejected', reason: 'undone' }
const expired: Rejected = { outcome: 'rejected', reason: 'expired' }

type Row<N extends AnyCommandName> = { reply: Reply<N> | null; undone: boolean }

/**
 * The claim of a command: part of a statement, which returns one row when the command is new and none when it was seen
 * before. The unique index makes it wait for another transaction that has the same command, or its undo, open. `reply`
 * is what every later delivery gets; without one the command stays unanswered until `storeReply` or `answerOf`.
 */
export function claimOf<N extends AnyCommandName>(
  { commandId }: Command<N>,
  reply: Reply<N> | null = null,
) {
  return sql`
    INSERT INTO inbox (command_id, reply) VALUES (${commandId}, ${reply && JSON.stringify(reply)}::jsonb)
    ON CONFLICT DO NOTHING RETURNING command_id`
}

/**
 * The answer to a command that was claimed in an earlier transaction: part of a statement, which returns one row, and
 * none when the command has a reply already or its undo came first.
 */
export function answerOf<N extends AnyCommandName>(
  { commandId }: Pick<Command<N>, 'commandId'>,
  reply: Reply<N>,
) {
  return sql`
    UPDATE inbox SET reply = ${JSON.stringify(reply)}::jsonb
    WHERE command_id = ${commandId} AND reply IS NULL AND NOT undone RETURNING command_id`
}

/** What a command that was claimed before is answered with; null when it has no answer yet. */
export async function storedReply<N extends AnyCommandName>(
  tx: Sql,
  { commandId }: Command<N>,
): Promise<Reply<N> | Rejected | null> {
  const [row] = await tx.$queryRaw<Row<N>[]>`
    SELECT reply, undone FROM inbox WHERE command_id = ${commandId} FOR UPDATE`
  if (!row) throw new Error(`the command ${commandId} was claimed and is not in the inbox`)
  return row.undone ? undone : row.reply
}

/** The stored reply of a command of which it is known that there is one. */
export async function repeatedReply<N extends AnyCommandName>(
  tx: Sql,
  command: Command<N>,
): Promise<Reply<N> | Rejected> {
  const reply = await storedReply(tx, command)
  if (!reply) throw new Error(`the command ${command.commandId} has no reply`)
  return reply
}

/** Claims a command in the caller's transaction. `reply`: what it was answered with, when that has happened before. */
export async function claim<N extends AnyCommandName>(
  tx: Sql,
  command: Command<N>,
): Promise<{ reply: Reply<N> | Rejected | null }> {
  const rows = await tx.$queryRaw<unknown[]>`${claimOf(command)}`
  return { reply: rows.length === 1 ? null : await storedReply(tx, command) }
}

/** Stores the reply that every later delivery of the command gets. */
export async function storeReply<N extends AnyCommandName>(
  tx: Sql,
  command: Command<N>,
  reply: Reply<N> | Rejected,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE inbox SET reply = ${JSON.stringify(reply)}::jsonb WHERE command_id = ${command.commandId}`
}

/** Refuses a do without effect, in one statement. A reply that it has already, or its undo, wins. */
export async function refuse<N extends DoName>(
  tx: Sql,
  command: Command<N>,
  reply: Rejected,
): Promise<Reply<N> | Rejected> {
  const stored = await tx.$executeRaw`
    INSERT INTO inbox (command_id, reply) VALUES (${command.commandId}, ${JSON.stringify(reply)}::jsonb)
    ON CONFLICT (command_id) DO UPDATE SET reply = excluded.reply
    WHERE inbox.reply IS NULL AND NOT inbox.undone`
  return stored === 1 ? reply : repeatedReply(tx, command)
}

/**
 * Handles a do: its effect happens once, a repeat gets the stored reply, and one that is expired or whose undo came
 * first is refused without effect. `attempt` is one statement that claims the command, has the effect and stores the
 * reply; it answers undefined when the command was seen before. It has no effect when it answers `rejected`.
 */
export async function doOnce<N extends DoName>(
  tx: Sql,
  command: Command<N>,
  attempt: () => Promise<Reply<N> | undefined>,
): Promise<Reply<N> | Rejected> {
  if (isExpired(command)) return refuse(tx, command, expired)
  return (await attempt()) ?? repeatedReply(tx, command)
}

/** Whether a do has expired, so that no saga waits for it. An undo never expires. */
export function isExpired(command: Command<AnyCommandName>): boolean {
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
  return entombId(tx, commandId(command.purchaseId, commandSteps[doOf[command.name]].step))
}

/** The same for the command with an id. */
export async function entombId(
  tx: Sql,
  doId: string,
): Promise<{ seen: boolean; reply: Reply<DoName> | null }> {
  const inserted = await tx.$executeRaw`
    INSERT INTO inbox (command_id, undone) VALUES (${doId}, true) ON CONFLICT DO NOTHING`
  if (inserted === 1) return { seen: false, reply: null }
  const rows = await tx.$queryRaw<{ reply: Reply<DoName> | null }[]>`
    UPDATE inbox SET undone = true WHERE command_id = ${doId} RETURNING reply`
  return { seen: true, reply: rows[0]?.reply ?? null }
}

/** Handles an undo in the caller's transaction: `revert` runs once, and only when the do took effect. */
export async function undoOnce<N extends UndoName>(
  tx: Sql,
  command: Command<N>,
  revert: () => Promise<void>,
): Promise<Reply<N>> {
  const done = { outcome: 'done' } as Reply<N>
  const { reply: earlier } = await claim(tx, command)
  if (earlier) return earlier as Reply<N>
  const { reply } = await entomb(tx, command)
  if (reply?.outcome === 'done') await revert()
  await storeReply(tx, command, done)
  return done
}

/** Handles, in the caller's transaction, a command that is repeated until it is done: `act` runs once. */
export async function untilDoneOnce<N extends AnyCommandName>(
  tx: Sql,
  command: Command<N>,
  act: () => Promise<void>,
): Promise<Reply<N>> {
  const done = { outcome: 'done' } as Reply<N>
  const { reply: earlier } = await claim(tx, command)
  if (earlier) return earlier as Reply<N>
  await act()
  await storeReply(tx, command, done)
  return done
}
