import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { connectTestRedis, uniqueName } from '../test/helpers/redis.ts'
import { ConfigError, loadConfig } from './config.ts'
import type { Problem } from './errors.ts'
import { startHttpServer } from './http.ts'
import { createMetrics } from './metrics.ts'
import { createRateLimits, rateLimitEnv } from './rate-limits.ts'
import type { Routes } from './route.ts'

const answer = z.object({ ok: z.boolean() })
const routes = {
  login: {
    method: 'post',
    path: '/login',
    limit: 'login',
    summary: 'Limited',
    body: z.strictObject({ email: z.string() }),
    status: 200,
    response: answer,
  },
  open: { method: 'get', path: '/open', summary: 'Open', status: 200, response: answer },
} as const satisfies Routes

describe('rate limits', () => {
  let resources: AsyncDisposableStack

  beforeEach(() => {
    resources = new AsyncDisposableStack()
  })

  afterEach(() => resources.disposeAsync())

  /** A replica of a service with these routes; those of one prefix count together. */
  async function startReplica({
    requests = 3,
    prefix = uniqueName(),
    nodes = undefined as string[] | undefined,
  } = {}) {
    const test = resources.adopt(await connectTestRedis(nodes), (open) => open.close())
    const ok = async () => ({ ok: true })
    const server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: test.logger,
      metrics: createMetrics('test'),
      health: {},
      routes,
      handlers: { login: ok, open: ok },
      limits: createRateLimits({
        ...test,
        prefix,
        config: { RATE_LIMIT_LOGIN: `${requests}/60` },
      }),
    })
    resources.adopt(server, (open) => open.close())
    const base = `http://127.0.0.1:${server.port}/api/v1`
    return {
      test,
      login: (email: string, from = '203.0.113.1') =>
        fetch(`${base}/login`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-forwarded-for': from },
          body: JSON.stringify({ email }),
        }),
      open: () => fetch(`${base}/open`),
    }
  }

  const statuses = (responses: Response[]) => responses.map(({ status }) => status)

  async function times(n: number, request: () => Promise<Response>): Promise<number[]> {
    return statuses(await Promise.all(Array.from({ length: n }, request)))
  }

  it('answers 429 with Retry-After to what is beyond the limit', async () => {
    const { login, test } = await startReplica({ requests: 2 })
    await times(2, () => login('an@example.com'))

    const response = await login('an@example.com')

    const problem = (await response.json()) as Problem
    assert.equal(response.status, 429)
    assert.equal(problem.type, 'urn:shop:problem:too-many-requests')
    const seconds = Number(response.headers.get('retry-after'))
    assert.ok(seconds >= 1 && seconds <= 60, `${seconds}`)
    assert.equal(await test.count('rate_limit_decisions_total', { outcome: 'passed' }), 2)
    assert.equal(await test.count('rate_limit_decisions_total', { outcome: 'refused' }), 1)
  })

  it('counts what every replica lets through together', async () => {
    const prefix = uniqueName()
    const [one, other] = [await startReplica({ prefix }), await startReplica({ prefix })]

    const seen = [
      ...(await times(5, () => one.login('an@example.com'))),
      ...(await times(5, () => other.login('an@example.com'))),
    ]

    assert.equal(seen.filter((status) => status === 200).length, 3)
  })

  it('counts each account and address by itself, however the account is spelled', async () => {
    const { login } = await startReplica({ requests: 1 })
    await login('an@example.com')

    assert.equal((await login(' AN@example.com ')).status, 429)
    assert.equal((await login('an@example.com', '203.0.113.2')).status, 200)
    assert.equal((await login('binh@example.com')).status, 200)
  })

  it('believes no address but the one that the proxy saw', async () => {
    const { login } = await startReplica({ requests: 1 })
    await login('an@example.com')

    const forged = await login('an@example.com', `${randomUUID()}, 203.0.113.1`)

    assert.equal(forged.status, 429)
  })

  it('leaves a route without a limit alone', async () => {
    const { open } = await startReplica({ requests: 1 })

    assert.deepEqual(await times(5, open), [200, 200, 200, 200, 200])
  })

  it('lets everybody pass while Redis is away, and counts that', async () => {
    const { login, test } = await startReplica({ requests: 1, nodes: ['127.0.0.1:1'] })

    assert.deepEqual(await times(5, () => login('an@example.com')), [200, 200, 200, 200, 200])
    assert.equal(await test.count('rate_limit_decisions_total', { outcome: 'failed_open' }), 5)
  })

  it('stores nobody’s address', async () => {
    const prefix = uniqueName()
    const { login, test } = await startReplica({ prefix })

    await login('an@example.com')

    const keys = await Promise.all(
      test.redis.cluster.nodes('master').map((node) => node.keys(`${prefix}*`)),
    )
    assert.equal(keys.flat().length, 1)
    assert.doesNotMatch(keys.flat().join(), /example|203\.0/)
  })

  describe('configuration', () => {
    const env = rateLimitEnv('login', 'purchase')

    it('lets thousands of purchases of one customer through by default', () => {
      const { RATE_LIMIT_PURCHASE } = loadConfig(env, {})

      assert.ok(Number.parseInt(RATE_LIMIT_PURCHASE, 10) >= 10_000)
    })

    it('reads requests/seconds', () => {
      const { RATE_LIMIT_LOGIN } = loadConfig(env, { RATE_LIMIT_LOGIN: '5/900' })

      assert.equal(RATE_LIMIT_LOGIN, '5/900')
    })

    for (const wrong of ['5', '0/60', '5/0', '5 per minute', '-1/60']) {
      it(`refuses ${wrong}`, () => {
        assert.throws(() => loadConfig(env, { RATE_LIMIT_LOGIN: wrong }), ConfigError)
      })
    }
  })
})
