import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Request, Response } from 'express'
import fc from 'fast-check'
import { stepped } from '../../test/helpers/clock.ts'
import { forgedTokens } from '../../test/helpers/forged-tokens.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { AppError } from '../runtime/errors.ts'
import { type Caller, createAuthentication, signAccessToken, verifyAccessToken } from './auth.ts'

const { config, signingKey } = testTokens
const authenticate = createAuthentication(config)

/** What the middleware makes of an `Authorization` header. */
async function callerOf(authorization?: string): Promise<Caller | undefined> {
  const request = { method: 'GET', headers: { authorization } } as Request
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
    assert.deepEqual(rest, { accountId, token, roles: ['buyer', 'seller'] })
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

  it('that was found valid does not make another valid that differs in one character', async () => {
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

  it('is accepted or refused, and never an error of ours, whatever is changed in it', async () => {
    const token = testTokens.tokenFor(randomUUID())
    const parts = token.split('.').map((part) => Buffer.from(part, 'base64url').toString('latin1'))
    const json = fc.json().map((text) => Buffer.from(text).toString('base64url'))
    const changed = fc.tuple(fc.nat(token.length - 1), fc.string()).map(([at, text]) => {
      return token.slice(0, at) + text + token.slice(at + 1)
    })
    const assembled = fc
      .tuple(fc.oneof(json, fc.base64String()), fc.oneof(json, fc.base64String()))
      .map(([header, claims]) => `${header}.${claims}.${parts[2]}`)

    const accepted = await Promise.all(
      fc.sample(fc.oneof(changed, assembled, fc.string()), 2_000).map((text) =>
        callerOf(`Bearer ${text}`).then(
          () => text,
          (error) => assert.ok(unauthorized(error), `${text}: ${error}`),
        ),
      ),
    )

    // A bearer token ends at white space.
    const others = accepted.filter((text) => {
      return text !== undefined && !isSame(text.trim().split(/\s/)[0] ?? '', token)
    })
    assert.deepEqual(others, [])
  })

  it('is refused when it is missing or not a bearer token', async () => {
    const token = testTokens.tokenFor(randomUUID())

    await assert.rejects(callerOf(), unauthorized)
    await assert.rejects(callerOf(''), unauthorized)
    await assert.rejects(callerOf(token), unauthorized)
    await assert.rejects(callerOf(`Basic ${token}`), unauthorized)
  })
})

/** The last character of a signature in base64url has bits that mean nothing. */
function isSame(text: string, token: string): boolean {
  const [header, claims, signature = ''] = text.split('.')
  const [itsHeader, itsClaims, itsSignature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const isSigned = bytes.equals(Buffer.from(itsSignature, 'base64url'))
  return header === itsHeader && claims === itsClaims && isSigned
}

describe('the token of event streams', () => {
  const claims = {
    accountId: randomUUID(),
    sessionId: randomUUID(),
    ...{ issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE, ttlSeconds: 60 },
  }
  let token = ''

  // Its time begins with the test and not with the file, which is read long before in a run of all tests.
  before(() => {
    token = signAccessToken(signingKey, claims, 'stream')
  })

  async function streamCallerOf(cookie: string, isStream = true, method = 'GET') {
    const request = { method, isStream, headers: { cookie } } as Request
    await new Promise<void>((resolve, reject) => {
      const next = (error?: unknown) => (error ? reject(error) : resolve())
      void authenticate(request, {} as Response, next)
    })
    return request.caller
  }

  it('opens streams from a cookie, again and again', async () => {
    for (let times = 0; times < 2; times++) {
      assert.equal((await streamCallerOf(`shop_stream=${token}`))?.accountId, claims.accountId)
    }
  })

  it('opens nothing else, also after it has opened a stream', async () => {
    await streamCallerOf(`shop_stream=${token}`)

    await assert.rejects(callerOf(`Bearer ${token}`), unauthorized)
    await assert.rejects(streamCallerOf(`shop_stream=${token}`, false), unauthorized)
    assert.throws(() => verifyAccessToken(config, token), unauthorized)
  })

  it('is no access token, also not one that was found good as such', async () => {
    const access = testTokens.tokenFor(randomUUID())
    await callerOf(`Bearer ${access}`)

    await assert.rejects(streamCallerOf(`shop_stream=${access}`), unauthorized)
  })
})
