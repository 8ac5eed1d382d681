import { createPublicKey, type KeyObject } from 'node:crypto'
import type { RequestHandler } from 'express'
import jwt from 'jsonwebtoken'
import { LRUCache } from 'lru-cache'
import { Passport } from 'passport'
import { ExtractJwt, Strategy } from 'passport-jwt'
import { z } from 'zod'
import { AppError } from './errors.ts'

/** Pinned: a token that names another algorithm is refused (ASVS 9.1.2). */
const algorithm = 'RS256'

/** Tokens that were found good and are not checked again until they expire: that takes a tenth of a request's CPU. */
const maxKnown = 1_000

const AccessToken = z.object({
  sub: z.uuid(),
  sid: z.uuid(),
  typ: z.literal('access'),
  /** When it expires, in seconds since 1970. */
  exp: z.int(),
})

export type VerifyConfig = {
  JWT_VERIFY_KEYS: Record<string, string>
  JWT_ISSUER: string
  JWT_AUDIENCE: string
}

/** Who calls, from a verified access token. Whether the session has ended only account knows. */
export type Caller = { accountId: string; sessionId: string; token: string }

declare global {
  namespace Express {
    interface Request {
      caller?: Caller
    }
  }
}

/** Reading a key costs more than checking a signature with it, so each is read once. */
const keysByConfig = new WeakMap<VerifyConfig['JWT_VERIFY_KEYS'], Map<string, KeyObject>>()

function keysOf(pems: VerifyConfig['JWT_VERIFY_KEYS']): Map<string, KeyObject> {
  const known = keysByConfig.get(pems)
  if (known) return known
  const keys = new Map(Object.entries(pems).map(([kid, pem]) => [kid, createPublicKey(pem)]))
  keysByConfig.set(pems, keys)
  return keys
}

function keyOf({ JWT_VERIFY_KEYS }: VerifyConfig, token: string): KeyObject | undefined {
  const kid = keyIdOf(token)
  return kid === undefined ? undefined : keysOf(JWT_VERIFY_KEYS).get(kid)
}

function keyIdOf(token: string): string | undefined {
  try {
    return jwt.decode(token, { complete: true })?.header.kid
  } catch {
    // Claims that are not JSON make it throw.
    return undefined
  }
}

function callerOf({ sub, sid }: z.infer<typeof AccessToken>, token: string): Caller {
  return { accountId: sub, sessionId: sid, token }
}

/** Signs an access token for an account. `ttlSeconds` from now. */
export function signAccessToken(
  key: { kid: string; pem: string },
  claims: {
    accountId: string
    sessionId: string
    issuer: string
    audience: string
    ttlSeconds: number
  },
): string {
  return jwt.sign({ typ: 'access', sid: claims.sessionId }, key.pem, {
    algorithm,
    keyid: key.kid,
    subject: claims.accountId,
    issuer: claims.issuer,
    audience: claims.audience,
    expiresIn: claims.ttlSeconds,
  })
}

/** Checks an access token outside HTTP. Throws AppError('unauthorized'), whatever is wrong with it. */
export function verifyAccessToken(config: VerifyConfig, token: string): Caller {
  try {
    const payload = jwt.verify(token, keyOf(config, token) ?? '', {
      algorithms: [algorithm],
      issuer: config.JWT_ISSUER,
      audience: config.JWT_AUDIENCE,
    })
    return callerOf(AccessToken.parse(payload), token)
  } catch (cause) {
    throw new AppError('unauthorized', 'the access token is missing, expired or not valid', {
      cause,
    })
  }
}

/** Express middleware that sets `request.caller` from the bearer token or answers 401 (passport-jwt). */
export function createAuthentication(config: VerifyConfig): RequestHandler {
  const passport = new Passport()
  const known = new LRUCache<string, { caller: Caller; expiresAt: number }>({ max: maxKnown })
  const fromHeader = ExtractJwt.fromAuthHeaderAsBearerToken()
  passport.use(
    new Strategy(
      {
        jwtFromRequest: fromHeader,
        secretOrKeyProvider: (_request, token, done) => {
          const key = keyOf(config, String(token))
          // Its types do not know the key objects that jsonwebtoken takes.
          done(key ? null : new Error('unknown key id'), key as unknown as Buffer | undefined)
        },
        algorithms: [algorithm],
        issuer: config.JWT_ISSUER,
        audience: config.JWT_AUDIENCE,
        passReqToCallback: true,
      },
      (request: unknown, payload: unknown, done: (error: null, caller: Caller | false) => void) => {
        const parsed = AccessToken.safeParse(payload)
        if (!parsed.success) {
          done(null, false)
          return
        }
        const token = fromHeader(request as Parameters<typeof fromHeader>[0]) ?? ''
        const caller = callerOf(parsed.data, token)
        known.set(token, { caller, expiresAt: parsed.data.exp * 1_000 })
        done(null, caller)
      },
    ),
  )
  return (request, response, next) => {
    const finish = (_error: unknown, caller: Caller | false | undefined) => {
      if (!caller) {
        next(new AppError('unauthorized', 'the access token is missing, expired or not valid'))
        return
      }
      request.caller = caller
      next()
    }
    const found = known.get(fromHeader(request) ?? '')
    // By the wall clock, which may step: a lifetime in the cache would not notice.
    if (found && Date.now() < found.expiresAt) {
      finish(null, found.caller)
      return
    }
    passport.authenticate('jwt', { session: false }, finish)(request, response, next)
  }
}
