import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Request, Response } from 'express'
import { stepped } from '../test/helpers/clock.ts'
import { forgedTokens } from '../test/helpers/forged-tokens.ts'
import { testTokens } from '../test/helpers/tokens.ts'
import { type Caller, createAuthentication, signAccessToken, verifyAccessToken } from './auth.ts'
import { AppError } from './errors.ts'

const { config, signingKey } = testTokens
const authenticate = createAuthentication(config)

/** What the middleware makes of an `Authorization` header. */
async function callerOf(authorization?: string): Promise<Caller | undefined> {
  const request = { headers: { authorization } } as Request
  await new Promise<void>((resolve, reject) => {
    const next = (error?: unknown) => (error ? reject(error) : resolve())
    void authenticate(request, {} as Response, next)
  })
  return request.caller
}

const unauthorized = (error: unknown) => error instanceof AppError && error.kind === 'unauthorized'

describe('an access token', () => {
  it('names its account wherever it is checked', async () => {
    const accountId = randomUUID()
    const token = testTokens.tokenFor(accountId)

    const caller = verifyAccessToken(config, token)

    const { sessionId, ...rest } = caller
    assert.match(sessionId, /^[0-9a-f-]{36}$/)
    assert.deepEqual(rest, { accountId, token })
    assert.deepEqual(await callerOf(`Bearer ${token}`), caller)
  })

  it('is good under every key of a rotation', async () => {
    const accountId = randomUUID()
    const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = config
    const old = { kid: 'old', pem: signingKey.pem }
    const claims = { accountId, sessionId: randomUUID(), issuer, audience }
    const token = signAccessToken(old, { ...claims, ttlSeconds: 60 })
    const [key = ''] = Object.values(config.JWT_VERIFY_KEYS)
    const both = { ...config, JWT_VERIFY_KEYS: { ...config.JWT_VERIFY_KEYS, old: key } }

    assert.equal(verifyAccessToken(both, token).accountId, accountId)
    assert.throws(() => verifyAccessToken(config, token), unauthorized)
  })

  it('is refused once it has expired, however good it was before', async () => {
    const authorization = `Bearer ${testTokens.tokenFor(randomUUID())}`
    assert.ok(await callerOf(authorization))

    await stepped(24 * 60, () => assert.rejects(callerOf(authorization), unauthorized))
  })

  it('that was found good does not make another good that differs in one letter', async () => {
    const token = testTokens.tokenFor(randomUUID())
    const other = `${token.slice(0, -10)}${token.at(-10) === 'A' ? 'B' : 'A'}${token.slice(-9)}`
    await callerOf(`Bearer ${token}`)

    await assert.rejects(callerOf(`Bearer ${other}`), unauthorized)
  })

  for (const [kind, token] of Object.entries(forgedTokens(randomUUID()))) {
    it(`${kind} is refused`, async () => {
      assert.throws(() => verifyAccessToken(config, token), unauthorized)
      await assert.rejects(callerOf(`Bearer ${token}`), unauthorized)
    })
  }

  it('is refused when it is missing or not a bearer token', async () => {
    const token = testTokens.tokenFor(randomUUID())

    await assert.rejects(callerOf(), unauthorized)
    await assert.rejects(callerOf(''), unauthorized)
    await assert.rejects(callerOf(token), unauthorized)
    await assert.rejects(callerOf(`Basic ${token}`), unauthorized)
  })
})
