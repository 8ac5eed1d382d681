import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { signAccessToken } from '../../shared/auth.ts'

const kid = 'test'
const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})
const issuer = 'test-issuer'
const audience = 'test-audience'

/** A key pair of this test run and real tokens signed with it: no test goes round authentication. */
export const testTokens = {
  config: { JWT_VERIFY_KEYS: { [kid]: publicKey }, JWT_ISSUER: issuer, JWT_AUDIENCE: audience },
  signingKey: { kid, pem: privateKey },
  tokenFor: (accountId: string, sessionId = randomUUID()) =>
    signAccessToken(
      { kid, pem: privateKey },
      { accountId, sessionId, issuer, audience, ttlSeconds: 300 },
    ),
}
