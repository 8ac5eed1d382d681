import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Request, RequestHandler } from 'express'
import jwt from 'jsonwebtoken'
import { LRUCache } from 'lru-cache'
import { Passport } from 'passport'
import { ExtractJwt, Strategy } from 'passport-jwt'
import { z } from 'zod'
import { defaultRoles, type Role, rolesOf } from '../contracts/role.ts'
import { env } from '../runtime/config.ts'
import { AppError } from '../runtime/errors.ts'
import { streamTokenOf } from './session-cookies.ts'

/** Pinned: a token that names another algorithm is refused (ASVS 9.1.2). */
const algorithm = 'RS256'

/** Tokens that were found good and are not checked again until they expire: that takes a tenth of a request's CPU. */
const maxVerifiedTokens = 1_000

const claims = {
  sub: z.uuid(),
  sid: z.uuid(),
  /** When it expires, in seconds since 1970. */
  exp: z.int(),
  /** As when it was issued; tokens from before there were roles have none. */
  roles: z.array(z.string()).optional(),
}
const AccessToken = z.object({ ...claims, typ: z.literal('access') })
/** Opens event streams and nothing else: it is in a cookie, since a browser's EventSource sends no header. */
const StreamToken = z.object({ ...claims, typ: z.literal('stream') })

type Claims = { sub: string; sid: string; roles?: string[] | undefined }

/** Public keys by key id: more than one while a signing key is rotated. */
export const authEnv = {
  JWT_VERIFY_KEYS: env.json(
    z.record(z.string(), z.string().refine(isPublicKey, 'must be a public key in PEM')),
  ),
  JWT_ISSUER: z.string().min(1),
  JWT_AUDIENCE: z.string().min(1),
}

function isPublicKey(pem: string): boolean {
  try {
    return createPublicKey(pem).type === 'public'
  } catch {
    return false
  }
}

export type VerifyConfig = {
  JWT_VERIFY_KEYS: Record<string, string>
  JWT_ISSUER: string
  JWT_AUDIENCE: string
}

/** The caller, from a verified access token. Only account knows whether the session has ended: see `sessions.ts`. */
export type Caller = {
  accountId: string
  sessionId: string
  token: string
  /** Known of the caller of a write. */
  emailVerified?: boolean
  /** Of the caller of a write as they are now, else as when the token was issued. */
  roles?: readonly Role[]
}

/** The answer of account for a session that has not ended. */
export type LiveSession = { emailVerified: boolean; roles: readonly Role[] }

export type Sessions = {
  /** Throws AppError: `unauthorized` when the session has ended, `unavailable` when account does not answer. */
  check(caller: Caller): Promise<LiveSession>
}

declare global {
  namespace Express {
    interface Request {
      caller?: Caller
      /** Whether its route answers with an event stream. */
      isStream?: boolean
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

/**
 * Undefined for a header with `crit`: it names rules that a recipient must know, and we know none (RFC 7515, 4.1.11).
 */
function keyIdOf(token: string): string | undefined {
  try {
    const header = jwt.decode(token, { complete: true })?.header
    return header?.crit === undefined ? header?.kid : undefined
  } catch {
    // Claims that are not JSON make it throw.
    return undefined
  }
}

function callerOf({ sub, sid, roles }: Claims, token: string): Caller {
  return { accountId: sub, sessionId: sid, token, roles: rolesOf(roles) }
}

/** Signs an access token for an account, or a token of another kind. `ttlSeconds` from now. */
export function signAccessToken(
  key: { kid: string; pem: string },
  claims: {
    accountId: string
    sessionId: string
    roles?: readonly Role[]
    issuer: string
    audience: string
    ttlSeconds: number
  },
  typ: 'access' | 'stream' = 'access',
): string {
  const payload = { typ, sid: claims.sessionId, roles: claims.roles ?? defaultRoles }
  return jwt.sign(payload, key.pem, {
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

/** Throws AppError('forbidden') when a caller has not the role that a route asks for. */
export function assertRole({ roles = defaultRoles }: Caller, role: Role): void {
  if (!roles.includes(role)) throw new AppError('forbidden', `this needs the role ${role}`)
}

/**
 * Express middleware that sets `request.caller` from the bearer token or answers 401 (passport-jwt). It accepts a token
 * until it expires; `pipeline.ts` checks the session of a write. An event stream that comes without a bearer token may
 * have the browser's cookie instead, whose token opens nothing else.
 */
export function createAuthentication(config: VerifyConfig): RequestHandler {
  const passport = new Passport()
  const known = new LRUCache<string, { caller: Caller; expiresAt: number }>({
    max: maxVerifiedTokens,
  })
  const fromHeader = ExtractJwt.fromAuthHeaderAsBearerToken()
  const tokenOf = (request: Request) =>
    fromHeader(request) ?? (request.isStream ? streamTokenOf(request) : undefined) ?? null
  /** A token that was found good in one place is not good in another: what is known is known of a place. */
  const placeOf = (request: Request) =>
    `${fromHeader(request) === null ? 'cookie' : 'header'} ${tokenOf(request) ?? ''}`
  passport.use(
    new Strategy(
      {
        jwtFromRequest: (request) => tokenOf(request as Request),
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
        const isBearer = fromHeader(request as Request) !== null
        const parsed = (isBearer ? AccessToken : StreamToken).safeParse(payload)
        if (!parsed.success) {
          done(null, false)
          return
        }
        const token = tokenOf(request as Request) ?? ''
        const caller = callerOf(parsed.data, token)
        known.set(placeOf(request as Request), { caller, expiresAt: parsed.data.exp * 1_000 })
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
    const found = known.get(placeOf(request))
    // By the wall clock, which may step: a lifetime in the cache would not notice.
    if (found && Date.now() < found.expiresAt) {
      finish(null, found.caller)
      return
    }
    try {
      passport.authenticate('jwt', { session: false }, finish)(request, response, next)
    } catch (error) {
      // jsonwebtoken reads claims of the JSON value null as if they were an object.
      finish(error, false)
    }
  }
}
