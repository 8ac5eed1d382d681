import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { pino } from 'pino'
import { z } from 'zod'
import { testSessions, testTokens } from '../../test/helpers/tokens.ts'
import type { Routes } from '../contracts/route.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { createAuthentication } from './auth.ts'
import { startHttpServer } from './server.ts'

const Thing = z.object({ id: z.string() })

/** All that a connection still brings, which may end by a reset when the server has not read everything. */
function restOf(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('utf8').on('data', (piece) => {
    text += piece
  })
  socket.on('error', () => undefined)
  return new Promise((resolve) => socket.once('close', () => resolve(text)))
}
const path = '/things/:id'

const routes = {
  create: {
    method: 'post',
    path: '/things',
    summary: 'Create',
    body: z.strictObject({ name: z.string() }),
    status: 201,
    location: '/things/:id',
    response: Thing,
  },
  find: { method: 'get', path, summary: 'Find', status: 200, response: Thing },
  replace: { method: 'put', path, summary: 'Replace', status: 200, response: Thing },
  upload: {
    method: 'post',
    path: '/upload',
    summary: 'Upload',
    multipart: { fields: z.strictObject({}), files: 'data' },
    status: 201,
    location: '/files?of=:items.0.id',
    response: z.object({ items: z.array(Thing) }),
  },
  watch: {
    method: 'get',
    path: '/things/:id/events',
    summary: 'Watch',
    auth: true,
    stream: true,
    status: 200,
    response: Thing,
  },
} as const satisfies Routes

describe('HTTP methods, types and headers', () => {
  const open = new AsyncDisposableStack()
  let port: number
  let api: string
  let watched = 0

  async function* events(signal: AbortSignal) {
    watched += 1
    yield { id: 1, event: 'begun', data: { id: 'x' } }
    await once(signal, 'abort')
  }

  before(async () => {
    const server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: pino({ level: 'silent' }),
      metrics: createMetrics('test'),
      health: {},
      corsOrigins: ['https://shop.example'],
      authenticate: createAuthentication(testTokens.config),
      sessions: testSessions(),
      streams: { max: 20, perClient: 2, deadlineMs: 60_000 },
      routes,
      handlers: {
        create: async ({ body }) => ({ id: body.name }),
        find: async () => ({ id: 'x' }),
        replace: async () => ({ id: 'x' }),
        async upload({ form }) {
          for await (const { content } of form.files) for await (const _ of content);
          return { items: [{ id: 'a b' }] }
        },
        watch: async ({ signal }) => events(signal),
      },
    })
    open.defer(() => server.close())
    port = server.port
    api = `http://127.0.0.1:${port}/api/v1`
  })

  after(() => open.disposeAsync())

  const headers = (account = 'f47ac10b-58cc-4372-a567-0e02b2c3d479') => ({
    authorization: `Bearer ${testTokens.tokenFor(account)}`,
  })
  const typeOf = async (response: Response) => ((await response.json()) as { type: string }).type

  it('answers 405 with what the path takes to another method', async () => {
    for (const [method, target, allow] of [
      ['DELETE', '/things/1', 'GET, HEAD, PUT, OPTIONS'],
      ['PATCH', '/things/1', 'GET, HEAD, PUT, OPTIONS'],
      ['GET', '/things', 'POST, OPTIONS'],
      ['HEAD', '/upload', 'POST, OPTIONS'],
    ] as const) {
      const response = await fetch(api + target, { method })

      assert.equal(response.status, 405, `${method} ${target}`)
      assert.equal(response.headers.get('allow'), allow)
      if (method !== 'HEAD') {
        assert.equal(await typeOf(response), 'urn:shop:problem:method-not-allowed')
      }
    }
  })

  it('answers OPTIONS with what the path takes', async () => {
    const response = await fetch(`${api}/things/1`, { method: 'OPTIONS' })
    const unknown = await fetch(`${api}/nothing`, { method: 'OPTIONS' })

    assert.equal(response.status, 204)
    assert.equal(response.headers.get('allow'), 'GET, HEAD, PUT, OPTIONS')
    assert.equal(unknown.status, 404)
  })

  it('lets the pages of the origins that it is told of call, and no other', async () => {
    const preflight = (origin: string) =>
      fetch(`${api}/things`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      })
    const known = await preflight('https://shop.example')
    const other = await preflight('https://evil.example')

    assert.equal(known.status, 204)
    assert.equal(known.headers.get('access-control-allow-origin'), 'https://shop.example')
    assert.match(known.headers.get('access-control-allow-headers') ?? '', /Idempotency-Key/)
    assert.equal(known.headers.get('access-control-allow-credentials'), null)
    assert.equal(other.headers.get('access-control-allow-origin'), null)
  })

  it('answers 415 to a body of another type than the route takes', async () => {
    for (const [target, type, body] of [
      ['/things', 'text/plain', '{"name":"a"}'],
      ['/things', 'application/x-www-form-urlencoded', 'name=a'],
      ['/things', 'application/json; charset=latin1', '{"name":"a"}'],
      ['/upload', 'application/json', '{}'],
    ] as const) {
      const response = await fetch(api + target, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      })

      assert.equal(response.status, 415, `${target} ${type}`)
      assert.equal(await typeOf(response), 'urn:shop:problem:unsupported-media-type')
    }
  })

  it('says where to find what was made', async () => {
    const created = await fetch(`${api}/things`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"a/b"}',
    })
    const form = new FormData()
    form.set('data', new Blob(['x']), 'x')
    const uploaded = await fetch(`${api}/upload`, { method: 'POST', body: form })

    assert.equal(created.headers.get('location'), '/api/v1/things/a%2Fb')
    assert.equal(uploaded.headers.get('location'), '/api/v1/files?of=a%20b')
  })

  it('answers HEAD on an event stream with its headers, and the connection is free again', async () => {
    const socket = connect(port, '127.0.0.1')
    const authorization = headers().authorization
    socket.write(
      `HEAD /api/v1/things/1/events HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`,
    )
    const [head] = (await once(socket, 'data')) as [Buffer]
    socket.write('GET /api/v1/things/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const next = await restOf(socket)

    assert.match(String(head), /^HTTP\/1\.1 200 [\s\S]*text\/event-stream/i)
    assert.match(next, /^HTTP\/1\.1 200 [\s\S]*\{"id":"x"\}$/)
    assert.equal(watched, 0)
  })

  it('lets one customer have its share of the event streams, and others the rest', async () => {
    const watch = (account: string) =>
      fetch(`${api}/things/1/events`, { headers: headers(account), signal: abort.signal })
    const abort = new AbortController()
    const greedy = crypto.randomUUID()
    const mine = [await watch(greedy), await watch(greedy)]
    const refused = await watch(greedy)
    const stranger = await watch(crypto.randomUUID())

    assert.deepEqual(new Set(mine.map(({ status }) => status)), new Set([200]))
    assert.equal(refused.status, 429)
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.equal(stranger.status, 200)
    abort.abort()
  })

  it('answers what is no HTTP as problem+json', async () => {
    for (const [sent, status, type] of [
      ['nonsense\r\n\r\n', 400, 'invalid'],
      [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, 431, 'headers-too-large'],
    ] as const) {
      const socket = connect(port, '127.0.0.1')
      socket.write(sent)
      const answer = await restOf(socket)

      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
      assert.match(answer, /application\/problem\+json/)
      assert.match(answer, new RegExp(`"urn:shop:problem:${type}"`))
    }
  })
})
