import { createHash, timingSafeEqual } from 'node:crypto'
import type { RequestHandler } from 'express'
import { z } from 'zod'
import { env } from './config.ts'
import { AppError } from './errors.ts'

/** Below this a token could be guessed. */
const minTokenLength = 32

/** Operators by name, each with the SHA-256 of their token: the token itself is nowhere but with them. */
export const operatorEnv = {
  OPERATOR_TOKENS: env.json(
    z.record(
      z.string().regex(/^[\w.-]{1,64}$/),
      z.string().regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of a token in lower-case hex'),
    ),
  ),
}

declare global {
  namespace Express {
    interface Request {
      operator?: string
    }
  }
}

/** Lets operators in, by bearer token, and notes who it was. Every token is compared in full, in constant time. */
export function createOperatorAuthentication(config: {
  OPERATOR_TOKENS: Record<string, string>
}): RequestHandler {
  const operators = Object.entries(config.OPERATOR_TOKENS).map(
    ([name, hash]) => [name, Buffer.from(hash, 'hex')] as const,
  )
  return (request, _response, next) => {
    const [, token = ''] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? []
    const given = createHash('sha256').update(token).digest()
    const [found] = operators.filter(([, hash]) => timingSafeEqual(hash, given))
    if (!found || token.length < minTokenLength) {
      throw new AppError('unauthorized', 'a token of an operator is required')
    }
    request.operator = found[0]
    next()
  }
}
