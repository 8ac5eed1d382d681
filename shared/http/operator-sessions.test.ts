import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { z } from 'zod'
import { operators } from '../../test/helpers/operators.ts'
import type { Routes } from '../contracts/route.ts'
import { createLogger } from '../runtime/logger.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { createOperatorSessions } from './operator-sessions.ts'
import { createOperatorAuthentication, type OperatorConfig } from './operators.ts'
import { startHttpServer } from './server.ts'

const Who = z.object({ operator: z.string(), until: z.number().nullable() })
const route = { auth: 'operator', status: 200, response: Who } as const
const routes = {
  begin: { ...route, method: 'post', path: '/session', summary: '', operatorSession: 'begin' },
  who: { ...route, method: 'get', path: '/session', summary: '' },
  act: { ...route, method: 'post', path: '/act', summary: '' },
  end: { ...route, method: 'post', path: '/session/end', summary: '', operatorSession: 'end' },
} as const satisfies Routes

describe('a session of an operator in a browser', () => {
  const open = new AsyncDisposableStack()
  let base: string
  let origin: string

  async function serve(config: OperatorConfig): Promise<string> {
    const operatorSessions = createOperatorSessions(config)
    const show = async (input: { operator: string; operatorUntil: number | undefined }) => ({
      operator: input.operator,
      until: input.operatorUntil ?? null,
    })
    const server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: createLogger('test', 'silent'),
      metrics: createMetrics('test'),
      routes,
      handlers: { begin: show, who: show, act: show, end: show },
      authenticateOperator: createOperatorAuthentication(config, operatorSessions),
      operatorSessions,
      maxInFlight: 16,
      health: {},
    })
    open.defer(() => server.close())
    return `http://127.0.0.1:${server.port}`
  }

  before(async () => {
    origin = await serve(operators.config)
    base = `${origin}/api/v1`
  })
  after(() => open.disposeAsync())

  async function signIn(): Promise<{ cookie: string; attributes: string[] }> {
    const response = await fetch(`${base}/session`, {
      method: 'POST',
      headers: { authorization: `Bearer ${operators.token}` },
    })
    assert.equal(response.status, 200)
    const [cookie = '', ...attributes] = (response.headers.get('set-cookie') ?? '').split('; ')
    return { cookie, attributes }
  }

  const send = (path: string, method: string, headers: Record<string, string>, at = base) =>
    fetch(at + path, { method, headers })

  it('is a cookie that scripts, other sites and other paths do not get', async () => {
    const { cookie, attributes } = await signIn()
    const shown = await send('/session', 'GET', { cookie })
    const { operator, until } = (await shown.json()) as z.infer<typeof Who>

    assert.ok(attributes.includes('HttpOnly'))
    assert.ok(attributes.includes('SameSite=Strict'))
    assert.ok(attributes.includes('Path=/api/v1'))
    assert.ok(!cookie.includes(operators.token))
    assert.equal(operator, operators.name)
    assert.ok(until !== null && until > Date.now() && until < Date.now() + 9 * 3_600_000)
  })

  it('is sent with https only where the browser uses https', async () => {
    const response = await send('/session', 'POST', {
      authorization: `Bearer ${operators.token}`,
      'x-forwarded-proto': 'https',
    })

    assert.match(response.headers.get('set-cookie') ?? '', /; Secure/)
  })

  it('begins with a token of an operator only', async () => {
    for (const authorization of ['', 'Bearer short', `Bearer ${'x'.repeat(43)}`]) {
      const { status, headers } = await send('/session', 'POST', { authorization })
      assert.equal(status, 401)
      assert.equal(headers.get('set-cookie'), null)
    }
  })

  it('acts only for a page of its own origin', async () => {
    const { cookie } = await signIn()
    const from = (headers: Record<string, string>) => send('/act', 'POST', { cookie, ...headers })
    const other = 'http://127.0.0.1:1'

    assert.equal((await from({ origin, 'sec-fetch-site': 'same-origin' })).status, 200)
    assert.equal((await from({ origin })).status, 200)
    assert.equal((await from({ origin: other, 'sec-fetch-site': 'same-site' })).status, 403)
    assert.equal((await from({ origin: other })).status, 403)
    assert.equal((await from({ origin: 'null' })).status, 403)
    assert.equal((await from({ origin, 'sec-fetch-site': 'cross-site' })).status, 403)
    assert.equal((await from({})).status, 403)
    const bearer = { authorization: `Bearer ${operators.token}` }
    assert.equal((await send('/act', 'POST', bearer)).status, 200)
  })

  it('is removed on request', async () => {
    const { cookie } = await signIn()
    const ended = await send('/session/end', 'POST', { cookie, origin })

    assert.match(ended.headers.get('set-cookie') ?? '', /^operator_session=;.*1970/)
  })

  it('is none when it was made by another key, changed, without a signature, or has expired', async () => {
    const [key = ''] = operators.config.OPERATOR_SESSION_KEYS
    const secret = Buffer.from(key, 'base64url')
    const [hash = ''] = Object.values(operators.config.OPERATOR_TOKENS)
    const claims = { sub: operators.name, token: hash.slice(0, 16) }
    const sign = (more: object, by: Buffer = secret, audience = 'operators') =>
      jwt.sign({ ...claims, ...more }, by, { algorithm: 'HS256', audience })
    const exp = Math.floor(Date.now() / 1_000) + 60
    const good = sign({ exp })
    const forged = [
      sign({ exp }, randomBytes(32)),
      sign({ exp: exp - 120 }),
      sign({ exp }, secret, 'customers'),
      sign({}),
      sign({ exp, sub: 'nobody' }),
      sign({ exp, sub: 'constructor' }),
      sign({ exp, token: '0'.repeat(16) }),
      jwt.sign({ ...claims, exp }, null as never, { algorithm: 'none', audience: 'operators' }),
      `${good.slice(0, -2)}xx`,
    ]

    const statusWith = async (token: string) =>
      (await send('/session', 'GET', { cookie: `operator_session=${token}` })).status
    assert.equal(await statusWith(good), 200)
    for (const token of forged) assert.equal(await statusWith(token), 401, token)
  })

  it('outlives the replacement of a key, and ends with the token of its operator', async () => {
    const { cookie } = await signIn()
    const { OPERATOR_TOKENS, OPERATOR_SESSION_KEYS } = operators.config
    const newKey = randomBytes(32).toString('base64url')
    const rotated = await serve({
      OPERATOR_TOKENS,
      OPERATOR_SESSION_KEYS: [newKey, ...OPERATOR_SESSION_KEYS],
    })
    const replaced = await serve({
      OPERATOR_TOKENS: { [operators.name]: '0'.repeat(64) },
      OPERATOR_SESSION_KEYS,
    })

    const statusAt = async (at: string) =>
      (await send('/session', 'GET', { cookie }, `${at}/api/v1`)).status
    assert.equal(await statusAt(rotated), 200)
    assert.equal(await statusAt(replaced), 401)
  })

  it('begins with each of two tokens of its operator, and ends with the one that it began with', async () => {
    const { OPERATOR_TOKENS, OPERATOR_SESSION_KEYS } = operators.config
    const newToken = randomBytes(32).toString('base64url')
    const newHash = createHash('sha256').update(newToken).digest('hex')
    const tokens = [...Object.values(OPERATOR_TOKENS), newHash]
    const both = await serve({
      OPERATOR_TOKENS: { [operators.name]: tokens },
      OPERATOR_SESSION_KEYS,
    })
    const onlyNew = await serve({
      OPERATOR_TOKENS: { [operators.name]: [newHash] },
      OPERATOR_SESSION_KEYS,
    })

    const cookies: string[] = []
    for (const token of [operators.token, newToken]) {
      const headers = { authorization: `Bearer ${token}` }
      const response = await send('/session', 'POST', headers, `${both}/api/v1`)
      assert.equal(response.status, 200)
      cookies.push((response.headers.get('set-cookie') ?? '').split('; ')[0] ?? '')
    }

    const statusesAt = (at: string) =>
      Promise.all(
        cookies.map(async (cookie) => {
          return (await send('/session', 'GET', { cookie }, `${at}/api/v1`)).status
        }),
      )
    assert.deepEqual(await statusesAt(both), [200, 200])
    assert.deepEqual(await statusesAt(onlyNew), [401, 200])
  })
})
