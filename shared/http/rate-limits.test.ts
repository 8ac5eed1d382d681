import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { connectTestRedis, uniqueName } from '../../test/helpers/redis.ts'
import type { Problem } from '../contracts/problem.ts'
import type { Routes } from '../contracts/route.ts'
import { ConfigError, loadConfig } from '../runtime/config.ts'
import { AppError } from '../runtime/errors.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { createRateLimits, rateLimitEnv } from './rate-limits.ts'
import { startHttpServer } from './server.ts'

const answer = z.object({ ok: z.boolean() })
const routes = {
  login: {
    method: 'post',
    path: '/login',
    limit: 'login',
    summary: 'Limited',
    body: z.strictObject({ email: z.string(), password: z.string().optional() }),
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
    failures = {} as Record<string, string>,
  } = {}) {
    const test = resources.adopt(await connectTestRedis(nodes), (open) => open.close())
    const ok = async () => ({ ok: true })
    const logIn = async ({ body }: { body: { email: string; password?: string | undefined } }) => {
      if (body.password === 'wrong') throw new AppError('unauthorized', 'wrong')
      return { ok: true }
    }
    const server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: test.logger,
      metrics: createMetrics('test'),
      health: {},
      routes,
      handlers: { login: logIn, open: ok },
      limits: createRateLimits({
        ...test,
        prefix,
        config: { RATE_LIMIT_LOGIN: `${requests}/60`, ...failures },
      }),
    })
    resources.adopt(server, (open) => open.close())
    const base = `http://127.0.0.1:${server.port}/api/v1`
    return {
      test,
      login: (email: string, from = '203.0.113.1', password = 'right') =>
        fetch(`${base}/login`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-forwarded-for': from },
          body: JSON.stringify({ email, password }),
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

  it('counts the first 64 bits of an IPv6 address as one client', async () => {
    const { login } = await startReplica({ requests: 1 })
    await login('an@example.com', '2001:db8:1:2::1')

    assert.equal((await login('an@example.com', '2001:db8:1:2:ffff::9')).status, 429)
    assert.equal((await login('an@example.com', '2001:db8:1:3::1')).status, 200)
  })

  it('counts refused logins of one address at all accounts together, and no others', async () => {
    const failures = { RATE_LIMIT_LOGIN_FAILED_ADDRESS: '3/60' }
    const { login } = await startReplica({ requests: 100, failures })
    const spray = (name: string, password = 'wrong', from?: string) =>
      login(`${name}@example.com`, from, password).then(({ status }) => status)

    const before = [await spray('a'), await spray('b', 'right'), await spray('c', 'right')]
    const tries = [await spray('d'), await spray('e'), await spray('f'), await spray('g', 'right')]

    assert.deepEqual(before, [401, 200, 200])
    assert.deepEqual(tries, [401, 401, 429, 429])
    assert.equal(await spray('f', 'wrong', '203.0.113.2'), 401)
  })

  it('allows no more refused logins of one address when they come at once', async () => {
    const failures = { RATE_LIMIT_LOGIN_FAILED_ADDRESS: '3/60' }
    const { login } = await startReplica({ requests: 100, failures })

    const tries = await Promise.all(
      Array.from({ length: 10 }, (_, i) => login(`${i}@example.com`, undefined, 'wrong')),
    )

    assert.equal(statuses(tries).filter((status) => status === 401).length, 3)
  })

  it('counts refused logins at one account from all addresses, but lets its owner in', async () => {
    const failures = { RATE_LIMIT_LOGIN_FAILED_ACCOUNT: '3/60' }
    const { login } = await startReplica({ requests: 100, failures })
    const email = 'an@example.com'
    const home = '203.0.113.1'
    assert.equal((await login(email, home)).status, 200)

    const tries: number[] = []
    for (let i = 10; i < 14; i += 1) {
      tries.push((await login(email, `203.0.113.${i}`, 'wrong')).status)
    }

    assert.deepEqual(tries, [401, 401, 401, 429])
    assert.equal((await login(email, '203.0.113.20')).status, 429)
    assert.equal((await login(email, home)).status, 200)
  })

  it('leaves a route without a limit alone', async () => {
    const { open } = await startReplica({ requests: 1 })

    assert.deepEqual(await times(5, open), [200, 200, 200, 200, 200])
  })

  it('lets everybody pass while Redis is unavailable, and counts that', async () => {
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
