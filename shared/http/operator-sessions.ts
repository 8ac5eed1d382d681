import { parseCookie } from 'cookie'
import type { Request, Response } from 'express'
import jwt from 'jsonwebtoken'
import { z } from 'zod'
import { AppError } from '../runtime/errors.ts'
import { refuseOtherOrigins } from './session-cookies.ts'

/** Pinned, as for the tokens of customers. */
const algorithm = 'HS256'
const audience = 'operators'
const cookieName = 'operator_session'
const lifetimeMs = 8 * 3_600_000
/** Of the hash of the operator's token. */
const fingerprintLength = 16

const Claims = z.object({ sub: z.string(), exp: z.int(), token: z.string() })

/** Operators by name, each with the hash of their token, or of both tokens while one replaces the other. */
export type OperatorTokens = Record<string, string | string[]>

/** What a session keeps of the token that it was begun with: with the token, its sessions end. */
export const fingerprintOf = (hash: string): string => hash.slice(0, fingerprintLength)

export type OperatorSessions = ReturnType<typeof createOperatorSessions>

/**
 * Sessions of operators in a browser: a signed cookie that no script can read, so that every replica knows it. Cookies
 * are sent to every port of a host, and pages of another port count as the same site. So a request with the cookie
 * that may change something must come from a page of its own origin.
 */
export function createOperatorSessions(config: {
  OPERATOR_TOKENS: OperatorTokens
  OPERATOR_SESSION_KEYS: string[]
}) {
  const keys = config.OPERATOR_SESSION_KEYS.map((key) => Buffer.from(key, 'base64url'))
  const hasToken = (operator: string, fingerprint: string): boolean =>
    Object.hasOwn(config.OPERATOR_TOKENS, operator) &&
    [config.OPERATOR_TOKENS[operator] ?? []].flat().map(fingerprintOf).includes(fingerprint)

  function verify(token: string): z.infer<typeof Claims> | undefined {
    for (const key of keys) {
      try {
        return Claims.parse(jwt.verify(token, key, { algorithms: [algorithm], audience }))
      } catch {
        // Another key may have signed it; a token that none has signed is no session.
      }
    }
    return undefined
  }

  return {
    /**
     * The session of the request's cookie, if it has one. Throws AppError('forbidden') for a page of another origin.
     */
    find(request: Request): { operator: string; fingerprint: string; until: number } | undefined {
      const token = cookieOf(request)
      const claims = token === undefined ? undefined : verify(token)
      if (!claims || !hasToken(claims.sub, claims.token)) return undefined
      if (request.method !== 'GET' && request.method !== 'HEAD') requireOwnOrigin(request)
      return { operator: claims.sub, fingerprint: claims.token, until: claims.exp * 1_000 }
    },

    /** Sets the cookie of the operator who is authenticated. */
    begin(request: Request, response: Response): void {
      const { operator = '', operatorFingerprint } = request
      const [key] = keys
      if (!key) throw new Error('there is no key to sign a session with')
      const claims = { token: operatorFingerprint }
      const expiresIn = lifetimeMs / 1_000
      const options = { algorithm, audience, subject: operator, expiresIn } as const
      response.cookie(cookieName, jwt.sign(claims, key, options), {
        ...attributesFor(request),
        maxAge: lifetimeMs,
      })
      request.operatorUntil = Date.now() + lifetimeMs
    },

    end(request: Request, response: Response): void {
      response.clearCookie(cookieName, attributesFor(request))
    },
  }
}

function attributesFor({ secure }: Request) {
  return { httpOnly: true, sameSite: 'strict', path: '/api/v1', secure } as const
}

function cookieOf({ headers }: Request): string | undefined {
  return parseCookie(headers.cookie ?? '')[cookieName]
}

/** A browser says where a request comes from; one that says nothing does not get in by a cookie. */
function requireOwnOrigin(request: Request): void {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin === undefined && site === undefined) {
    throw new AppError('forbidden', 'a request with a cookie must say from which page it comes')
  }
  refuseOtherOrigins(request)
}
