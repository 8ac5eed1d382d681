import { createHash, randomBytes } from 'node:crypto'
import { signAccessToken, type VerifyConfig, verifyAccessToken } from '../../shared/auth.ts'

export type TokenConfig = VerifyConfig & {
  JWT_SIGNING_KEY: { kid: string; pem: string }
  ACCESS_TOKEN_TTL_SECONDS: number
  REFRESH_TOKEN_TTL_SECONDS: number
}

/** What is kept of a refresh token. A plain hash does: 256 random bits cannot be guessed. */
export type StoredRefreshToken = { tokenHash: string; expiresAt: Date }

export type Tokens = ReturnType<typeof createTokens>

/** Issues and checks the tokens of accounts. */
export function createTokens(config: TokenConfig) {
  return {
    accessTtlSeconds: config.ACCESS_TOKEN_TTL_SECONDS,

    signAccess: (accountId: string): string =>
      signAccessToken(config.JWT_SIGNING_KEY, {
        accountId,
        issuer: config.JWT_ISSUER,
        audience: config.JWT_AUDIENCE,
        ttlSeconds: config.ACCESS_TOKEN_TTL_SECONDS,
      }),

    /** The account that an access token was issued to. Throws AppError('unauthorized'). */
    verifyAccess: (token: string): string => verifyAccessToken(config, token).accountId,

    newRefresh(): { token: string; stored: StoredRefreshToken } {
      const token = randomBytes(32).toString('base64url')
      const expiresAt = new Date(Date.now() + config.REFRESH_TOKEN_TTL_SECONDS * 1_000)
      return { token, stored: { tokenHash: hashRefreshToken(token), expiresAt } }
    },
  }
}

export function hashRefreshToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
