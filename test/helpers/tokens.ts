import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { type Sessions, signAccessToken, verifyAccessToken } from '../../shared/http/auth.ts'
import { createSessions } from '../../shared/http/sessions.ts'
import { AppError } from '../../shared/runtime/errors.ts'

const kid = 'test'
const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})
const issuer = 'test-issuer'
const audience = 'test-audience'

/** A key pair of this test run and real tokens signed with it: no test bypasses authentication. */
export const testTokens = {
  config: { JWT_VERIFY_KEYS: { [kid]: publicKey }, JWT_ISSUER: issuer, JWT_AUDIENCE: audience },
  signingKey: { kid, pem: privateKey },
  tokenFor: (accountId: string, sessionId = randomUUID()) =>
    signAccessToken(
      { kid, pem: privateKey },
      { accountId, sessionId, issuer, audience, ttlSeconds: 300 },
    ),
}

/** Seals codes in tests. */
export const testSealingKeys = ['c'.repeat(43)]

/** The sessions of real tokens, as account would answer: those of `ended` tokens have ended. `roles` by account id. */
export function testSessions(
  ended: ReadonlySet<string> = new Set(),
  roles: ReadonlyMap<string, string[]> = new Map(),
): Sessions {
  return createSessions({
    accounts: {
      async Authenticate({ access_token }) {
        const { accountId } = verifyAccessToken(testTokens.config, access_token)
        if (ended.has(access_token)) throw new AppError('unauthorized', 'the session has ended')
        return { account_id: accountId, email_verified: false, roles: roles.get(accountId) ?? [] }
      },
    },
  })
}
