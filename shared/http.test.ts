import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import { z } from 'zod'
import { waitFor } from '../scripts/wait-for.ts'
import { testTokens } from '../test/helpers/tokens.ts'
import { createAuthentication } from './auth.ts'
import { AppError } from './errors.ts'
import { type HealthChecks, startHttpServer } from './http.ts'
import { createMetrics } from './metrics.ts'
import type { Routes } from './route.ts'

const Thing = z.strictObject({ name: z.string().min(1), lines: z.array(z.int()).default([]) })

const routes = {
  create: {
    method: 'post',
    path: '/things',
    summary: 'Create',
    headers: z.object({ 'idempotency-key': z.string().min(1).optional() }),
    body: Thing,
    status: 201,
    response: z.object({ name: z.string(), key: z.string().optional() }),
  },
  find: {
    method: 'get',
    path: '/things/:id',
    summary: 'Find',
    params: z.strictObject({ id: z.uuid() }),
    query: z.strictObject({ limit: z.coerce.number().int().max(100).default(20) }),
    status: 200,
    response: z.object({ id: z.uuid(), limit: z.int() }),
  },
  mine: {
    method: 'post',
    path: '/mine',
    summary: 'Who am I',
    auth: true,
    status: 200,
    response: z.object({ id: z.string() }),
  },
  fail: {
    method: 'get',
    path: '/fail/:how',
    summary: 'Fail',
    params: z.strictObject({ how: z.enum(['busy', 'bug', 'wrong-answer']) }),
    status: 200,
    response: z.strictObject({ ok: z.boolean() }),
  },
  slow: {
    method: 'get',
    path: '/slow',
    summary: 'Slow',
    status: 200,
    response: z.object({ ok: z.boolean() }),
  },
} as const satisfies Routes

describe('startHttpServer', () => {
  const health: HealthChecks = { database: () => true }
  const slow = {
    started: Promise.withResolvers<void>(),
    end: Promise.withResolvers<{ ok: boolean }>(),
  }
  const log = new PassThrough()
  let logged = ''
  let http: Awaited<ReturnType<typeof startHttpServer>>
  let url: string

  before(async () => {
    log.on('data', (line) => {
      logged += line
    })
    http = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: pino({ level: 'trace' }, log),
      metrics: createMetrics('test'),
      health,
      authenticate: createAuthentication(testTokens.config),
      routes,
      handlers: {
        create: async ({ body, headers }) => ({ name: body.name, key: headers['idempotency-key'] }),
        find: async ({ params, query }) => ({ id: params.id, limit: query.limit }),
        mine: async ({ caller }) => ({ id: caller.accountId }),
        async fail({ params }) {
          if (params.how === 'busy') throw new AppError('unavailable', 'too busy')
          if (params.how === 'bug') throw new Error('hunter2')
          const leaky = { ok: true, password: 'hunter2' }
          return leaky
        },
        slow: () => {
          slow.started.resolve()
          return slow.end.promise
        },
      },
    })
    url = `http://127.0.0.1:${http.port}`
  })

  after(() => http.close())

  const get = (path: string) => fetch(`${url}/api/v1${path}`)
  const post = (path: string, body?: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body }),
    })

  async function problemOf(response: Response) {
    assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/)
    return (await response.json()) as {
      type: string
      title: string
      status: number
      detail?: string
      instance: string
      errors?: { field: string; rule: string }[]
    }
  }

  it('hands over what the contract parsed and answers with its status', async () => {
    const created = await post('/things', '{"name":"a"}', { 'idempotency-key': 'k' })
    const id = randomUUID()
    const found = await get(`/things/${id}?limit=5`)

    assert.equal(created.status, 201)
    assert.deepEqual(await created.json(), { name: 'a', key: 'k' })
    assert.equal(found.status, 200)
    assert.deepEqual(await found.json(), { id, limit: 5 })
  })

  it('names every field that is wrong, as problem JSON', async () => {
    const response = await post('/things', '{"name":"","lines":[1,"x"],"admin":true}')

    assert.equal(response.status, 400)
    const problem = await problemOf(response)
    assert.equal(problem.type, 'urn:shop:problem:invalid')
    assert.equal(problem.title, 'The request is not valid')
    assert.equal(problem.status, 400)
    assert.equal(problem.instance, '/api/v1/things')
    assert.deepEqual(
      problem.errors?.map(({ field }) => field),
      ['name', 'lines.1', 'admin'],
    )
  })

  for (const [what, body] of [
    ['is not JSON', '{"name":'],
    ['is an array', '[{"name":"a"}]'],
    ['is a bare value', '"a"'],
    ['is null', 'null'],
    ['tries to change prototypes', '{"name":"a","__proto__":{"admin":true}}'],
  ] as const) {
    it(`refuses a body that ${what}`, async () => {
      const response = await post('/things', body)

      assert.equal(response.status, 400)
      assert.equal((await problemOf(response)).type, 'urn:shop:problem:invalid')
    })
  }

  it('names the required fields when the body is missing or not declared as JSON', async () => {
    for (const response of [
      await post('/things'),
      await post('/things', ''),
      await post('/things', '{"name":"a"}', { 'content-type': 'text/plain' }),
    ]) {
      assert.equal(response.status, 400)
      assert.deepEqual(
        (await problemOf(response)).errors?.map(({ field }) => field),
        ['name'],
      )
    }
  })

  it('refuses a body that is too large', async () => {
    const response = await post('/things', JSON.stringify({ name: 'a'.repeat(102_400) }))

    assert.equal(response.status, 413)
    assert.equal((await problemOf(response)).type, 'urn:shop:problem:too-large')
  })

  it('refuses parameters and queries that are not of the contract', async () => {
    const id = randomUUID()

    for (const [path, field] of [
      ['/things/1', 'id'],
      [`/things/${id}?limit=x`, 'limit'],
      [`/things/${id}?limit=1&limit=2`, 'limit'],
      [`/things/${id}?admin=1`, 'admin'],
    ] as const) {
      const response = await get(path)
      assert.equal(response.status, 400, path)
      assert.equal((await problemOf(response)).errors?.[0]?.field, field)
    }
    assert.equal((await get('/things/%zz')).status, 400)
  })

  it('answers 404 to a path or method that is not there', async () => {
    for (const response of [
      await get('/nothing'),
      await get('/things'),
      await fetch(`${url}/things/${randomUUID()}`),
      await fetch(`${url}/api/v1/things`, { method: 'DELETE' }),
    ]) {
      assert.equal(response.status, 404)
      assert.equal((await problemOf(response)).type, 'urn:shop:problem:not-found')
    }
  })

  it('asks for a bearer token where the contract does', async () => {
    const accountId = randomUUID()
    const authorization = `Bearer ${testTokens.tokenFor(accountId)}`

    const refused = await post('/mine')
    const accepted = await post('/mine', '', { authorization })

    assert.equal(refused.status, 401)
    assert.equal(refused.headers.get('www-authenticate'), 'Bearer')
    assert.equal((await problemOf(refused)).type, 'urn:shop:problem:unauthorized')
    assert.equal(accepted.status, 200)
    assert.deepEqual(await accepted.json(), { id: accountId })
  })

  it('takes a POST without body, empty or not, where the contract has none', async () => {
    const headers = { authorization: `Bearer ${testTokens.tokenFor(randomUUID())}` }

    for (const body of [undefined, '', '{}']) {
      assert.equal((await post('/mine', body, headers)).status, 200)
    }
    assert.equal((await fetch(`${url}/api/v1/mine`, { method: 'POST', headers })).status, 200)
  })

  it('says when to come again if it is unavailable', async () => {
    const response = await get('/fail/busy')

    assert.equal(response.status, 503)
    assert.equal(response.headers.get('retry-after'), '1')
    assert.equal((await problemOf(response)).detail, 'too busy')
  })

  for (const how of ['bug', 'wrong-answer']) {
    it(`keeps a ${how} to itself and its log`, async () => {
      logged = ''

      const response = await get(`/fail/${how}`)

      assert.equal(response.status, 500)
      assert.deepEqual(await problemOf(response), {
        type: 'urn:shop:problem:internal',
        title: 'Something went wrong here',
        status: 500,
        instance: `/api/v1/fail/${how}`,
      })
      await waitFor('the log line', () => logged.includes('request errored'))
      assert.match(logged, /"err":\{"type":/)
      assert.match(logged, /"req":\{.*"url":"\/api\/v1\/fail/)
      assert.match(logged, /"responseTime":\d+/)
      assert.equal(logged.match(/"stack"/g)?.length, 1)
    })
  }

  it('is ready as long as every check says so, and else tells which does not', async () => {
    const ready = await fetch(`${url}/health/ready`)
    Object.assign(health, {
      queue: () => false,
      storage: () => Promise.reject(new Error('away')),
      transport: () => {
        throw new Error('away')
      },
    })
    const notReady = await fetch(`${url}/health/ready`)
    const live = await fetch(`${url}/health/live`)

    assert.equal(ready.status, 200)
    assert.deepEqual(await ready.json(), { status: 'ready', checks: { database: true } })
    assert.equal(notReady.status, 503)
    assert.deepEqual(await notReady.json(), {
      status: 'not ready',
      checks: { database: true, queue: false, storage: false, transport: false },
    })
    assert.equal(live.status, 200)
  })

  it('does not wait for a check that hangs', async () => {
    Object.assign(health, { hanging: () => new Promise<boolean>(() => undefined) })

    const response = await fetch(`${url}/health/ready`)

    assert.equal(response.status, 503)
  })

  it('counts requests by route, not by path', async () => {
    const id = randomUUID()
    await get(`/things/${id}`)

    const metrics = await (await fetch(`${url}/metrics`)).text()

    assert.match(metrics, /http_request_seconds_count\{.*route="\/things\/:id".*\} \d+/)
    assert.ok(!metrics.includes(id))
  })

  it('tells nothing of what serves it and sets the usual headers', async () => {
    const { headers } = await get('/nothing')

    assert.equal(headers.get('x-powered-by'), null)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
  })

  it('refuses to start on a port that is taken', async () => {
    const deps = { logger: pino({ level: 'silent' }), metrics: createMetrics('test'), health: {} }

    const second = startHttpServer({
      ...deps,
      host: '127.0.0.1',
      port: http.port,
      routes: {},
      handlers: {},
    })

    await assert.rejects(second, { code: 'EADDRINUSE' })
  })

  it('waits for no connection that never asked for anything when it closes', async () => {
    const other = await startHttpServer({
      logger: pino({ level: 'silent' }),
      metrics: createMetrics('test'),
      health: {},
      host: '127.0.0.1',
      port: 0,
      routes: {},
      handlers: {},
    })
    const silent = connect(other.port, '127.0.0.1')
    await once(silent, 'connect')

    await Promise.all([other.close(), once(silent, 'close')])
  })

  it('lets a running request end when it closes, and takes no other', async () => {
    const running = get('/slow')
    await slow.started.promise

    const closed = http.close()
    await assert.rejects(get('/things/1'))
    slow.end.resolve({ ok: true })

    assert.equal((await running).status, 200)
    await closed
  })
})
