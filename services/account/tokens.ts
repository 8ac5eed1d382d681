import { createHash, randomBytes } from 'node:crypto'
import { newId } from '../../shared/contracts/ids.ts'
import type { Role } from '../../shared/contracts/role.ts'
import {
  type Caller,
  signAccessToken,
  type VerifyConfig,
  verifyAccessToken,
} from '../../shared/http/auth.ts'

export type TokenConfig = VerifyConfig & {
  JWT_SIGNING_KEY: { kid: string; pem: string }
  ACCESS_TOKEN_TTL_SECONDS: number
  REFRESH_TOKEN_TTL_SECONDS: number
  SESSION_TTL_SECONDS: number
}

/** What is kept of a refresh token. A plain hash does: 256 random bits cannot be guessed. */
export type StoredRefreshToken = { tokenHash: string; expiresAt: Date }
export type NewSession = {
  id: string
  clientHash: string
  expiresAt: Date
  refresh: StoredRefreshToken
}

export type Tokens = ReturnType<typeof createTokens>

/** Issues and checks the tokens of accounts. */
export function createTokens(config: TokenConfig) {
  const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000)

  function newRefresh(): { token: string; stored: StoredRefreshToken } {
    const token = randomBytes(32).toString('base64url')
    const expiresAt = inSeconds(config.REFRESH_TOKEN_TTL_SECONDS)
    return { token, stored: { tokenHash: hashRefreshToken(token), expiresAt } }
  }

  return {
    accessTtlSeconds: config.ACCESS_TOKEN_TTL_SECONDS,
    refreshTtlSeconds: config.REFRESH_TOKEN_TTL_SECONDS,

    signAccess: (accountId: string, sessionId: string, roles: readonly Role[]): string =>
      signAccessToken(config.JWT_SIGNING_KEY, {
        accountId,
        sessionId,
        roles,
        issuer: config.JWT_ISSUER,
        audience: config.JWT_AUDIENCE,
        ttlSeconds: config.ACCESS_TOKEN_TTL_SECONDS,
      }),

    /** What opens the event streams of a session, and nothing else. */
    signStream: (accountId: string, sessionId: string): string =>
      signAccessToken(
        config.JWT_SIGNING_KEY,
        {
          accountId,
          sessionId,
          issuer: config.JWT_ISSUER,
          audience: config.JWT_AUDIENCE,
          ttlSeconds: config.ACCESS_TOKEN_TTL_SECONDS,
        },
        'stream',
      ),

    /** Whom an access token was issued to. Throws AppError('unauthorized'). */
    verifyAccess: (token: string): Caller => verifyAccessToken(config, token),

    newRefresh,

    /** A session with its first refresh token, begun by a client. */
    newSession(clientHash: string): { token: string; stored: NewSession } {
      const { token, stored } = newRefresh()
      const expiresAt = inSeconds(config.SESSION_TTL_SECONDS)
      return { token, stored: { id: newId(), clientHash, expiresAt, refresh: stored } }
    },
  }
}

export function hashRefreshToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
