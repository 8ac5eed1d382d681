import { createHash } from 'node:crypto'
import { AppError } from '../../../shared/runtime/errors.ts'

const sumBytes = 8

const sumOf = (token: Uint8Array) =>
  createHash('sha256').update(token).digest().subarray(0, sumBytes)

/**
 * The cursor of Temporal's page token; null for the last page. It begins with a sum of the token, so that any other
 * text is refused here: Temporal's client takes 10 s and ten calls to learn that the server cannot read a token.
 */
export function cursorOf(token: Uint8Array | null | undefined): string | null {
  if (!token?.length) return null
  return Buffer.concat([sumOf(token), token]).toString('base64url')
}

/** Throws AppError('invalid') when no list has returned this cursor. */
export function tokenOf(cursor: string): Buffer {
  const bytes = Buffer.from(cursor, 'base64url')
  const token = bytes.subarray(sumBytes)
  if (token.length === 0 || !sumOf(token).equals(bytes.subarray(0, sumBytes))) throw wrongCursor()
  return token
}

export const wrongCursor = (cause?: unknown) =>
  new AppError('invalid', 'cursor: must be a cursor that a list returned', { cause })
