import { createHash, timingSafeEqual } from 'node:crypto'
import type { RequestHandler } from 'express'
import { z } from 'zod'
import { env } from '../runtime/config.ts'
import { AppError } from '../runtime/errors.ts'
import { sealingKeys } from '../runtime/seal.ts'
import {
  createOperatorSessions,
  fingerprintOf,
  type OperatorSessions,
  type OperatorTokens,
} from './operator-sessions.ts'

/** Below this a token could be guessed. */
const minTokenLength = 32

/** More than one token of an operator is for the time in which one replaces the other. */
const maxTokens = 3
const TokenHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of a token in lower-case hex')

/** Operators by name, each with the SHA-256 of their token: the token itself is nowhere but with them. */
export const operatorEnv = {
  OPERATOR_TOKENS: env.json(
    z.record(
      z.string().regex(/^[\w.-]{1,64}$/),
      z.union([TokenHash, z.array(TokenHash).min(1).max(maxTokens)]),
    ),
  ),
  /** With which the sessions of operators' browsers are signed: the first signs, any verifies. */
  OPERATOR_SESSION_KEYS: sealingKeys,
}

export type OperatorConfig = {
  OPERATOR_TOKENS: OperatorTokens
  OPERATOR_SESSION_KEYS: string[]
}

declare global {
  namespace Express {
    interface Request {
      operator?: string
      /** Which of the operator's tokens it came with. */
      operatorFingerprint?: string
      /** When the operator's session in the browser ends, ms since 1970; undefined with a bearer token. */
      operatorUntil?: number
    }
  }
}

/**
 * Authenticates operators by bearer token or, in a browser, by session cookie, and records the name. Every token is
 * compared in full, in constant time.
 */
export function createOperatorAuthentication(
  config: OperatorConfig,
  sessions: OperatorSessions = createOperatorSessions(config),
): RequestHandler {
  const operators = Object.entries(config.OPERATOR_TOKENS).flatMap(([name, hashes]) =>
    [hashes].flat().map((hash) => [name, hash, Buffer.from(hash, 'hex')] as const),
  )
  return (request, _response, next) => {
    const { authorization } = request.headers
    const session = authorization === undefined ? sessions.find(request) : undefined
    if (session) {
      request.operator = session.operator
      request.operatorFingerprint = session.fingerprint
      request.operatorUntil = session.until
      next()
      return
    }
    const [, token = ''] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? []
    const given = createHash('sha256').update(token).digest()
    const [found] = operators.filter(([, , hash]) => timingSafeEqual(hash, given))
    if (!found || token.length < minTokenLength) {
      throw new AppError('unauthorized', 'a token of an operator is required')
    }
    request.operator = found[0]
    request.operatorFingerprint = fingerprintOf(found[1])
    next()
  }
}
