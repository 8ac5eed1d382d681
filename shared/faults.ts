import { ZodError } from 'zod'
import { AppError } from './errors.ts'

/** A message that can never be handled: it goes to dead-letters at once. */
export class PoisonError extends Error {
  override name = 'PoisonError'
}

/**
 * The outside party that a command needs does not answer for this one command. The message is given up without a
 * reply, so that it holds up nothing behind it; the saga's own retry sends the command again.
 */
export class NoReplyError extends Error {
  override name = 'NoReplyError'
}

/** SQLSTATE classes that say the statement or its data are wrong, not the database: data, integrity, syntax. */
const deterministicSqlState = /^(22|23|42)/

/** What PostgreSQL says of a statement that failed, through Prisma's adapter or pg: five characters, if it said so. */
export function sqlState(error: unknown): string | undefined {
  type Shape = {
    code?: unknown
    meta?: { code?: unknown; driverAdapterError?: { cause?: { originalCode?: unknown } } }
  }
  const { code, meta } = error as Shape
  const states = [meta?.driverAdapterError?.cause?.originalCode, meta?.code, code]
  return states.find((state) => typeof state === 'string' && /^[0-9A-Z]{5}$/.test(state)) as
    | string
    | undefined
}

/**
 * Whether the same message would fail in the same way again. Everything that is not known to be so counts as a
 * fault of the infrastructure and is retried: a purchase must never be lost to a database that was away.
 */
export function isDeterministic(error: unknown): boolean {
  if (error instanceof AppError) return error.kind !== 'unavailable'
  if (error instanceof ZodError || error instanceof SyntaxError) return true
  if (error instanceof ReferenceError || error instanceof RangeError) return true
  // undici and pg wrap network failures in a TypeError with a cause; a bug of ours has none.
  if (error instanceof TypeError) return error.cause === undefined
  // Prisma refuses the values before it asks the database. Known by name: only repositories import Prisma.
  if (error instanceof Error && error.name === 'PrismaClientValidationError') return true
  return deterministicSqlState.test(sqlState(error) ?? '')
}

/** SQLSTATE classes of a database that is away: connection, resources, operator intervention. */
const awaySqlState = /^(08|53|57)/
/** Prisma's own words for the same, pool and transaction timeouts included. */
const awayPrismaCode = /^P(1\d{3}|2024|2028|2037)$/
/** What pg says, without a code, of a pool that is used up and of a query without an answer. */
const awayPgMessage = /^(timeout exceeded when trying to connect|Query read timeout)$/

/** Whether a request failed because the database is away, so that the client had better try again. */
export function isDatabaseAway(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (typeof message === 'string' && awayPgMessage.test(message)) return true
  if (typeof code === 'string' && awayPrismaCode.test(code)) return true
  return awaySqlState.test(sqlState(error) ?? '')
}
