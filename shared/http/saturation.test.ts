import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { z } from 'zod'
import { testTokens } from '../../test/helpers/tokens.ts'
import type { Routes } from '../contracts/route.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { waitFor } from '../runtime/wait-for.ts'
import type { TurnLimits } from './admission/turns.ts'
import { createAuthentication } from './auth.ts'
import { startHttpServer } from './server.ts'

const maxInFlight = 4

const routes = {
  slow: {
    method: 'get',
    path: '/slow',
    summary: 'Slow',
    status: 200,
    response: z.object({ ok: z.boolean() }),
  },
  upload: {
    method: 'post',
    path: '/upload',
    summary: 'Upload',
    multipart: { fields: z.strictObject({}), files: 'data' },
    status: 200,
    response: z.object({ ok: z.boolean() }),
  },
  watch: {
    method: 'get',
    path: '/things/:id/events',
    summary: 'Watch',
    stream: true,
    status: 200,
    response: z.object({ ok: z.boolean() }),
  },
  write: {
    method: 'post',
    path: '/things',
    summary: 'Write',
    auth: true,
    status: 200,
    response: z.object({ ok: z.boolean() }),
  },
} as const satisfies Routes

describe('a saturated service', () => {
  const open = new AsyncDisposableStack()
  const metrics = createMetrics('test')
  let gate: PromiseWithResolvers<void>
  let entered = 0
  let checked = 0
  let url: string

  before(async () => {
    const server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: pino({ level: 'silent' }),
      metrics,
      health: {},
      maxInFlight,
      authenticate: createAuthentication(testTokens.config),
      sessions: {
        async check() {
          checked += 1
          return { emailVerified: true, roles: ['buyer'] }
        },
      },
      routes,
      handlers: {
        async slow() {
          entered += 1
          await gate.promise
          return { ok: true }
        },
        write: async () => ({ ok: true }),
        async upload({ form }) {
          for await (const { content } of form.files) for await (const _ of content);
          return { ok: true }
        },
        watch: async () => null,
      },
      streams: { max: 1, deadlineMs: 10_000 },
    })
    open.defer(() => server.close())
    url = `http://127.0.0.1:${server.port}`
  })

  beforeEach(() => {
    gate = Promise.withResolvers()
    entered = 0
  })
  afterEach(() => gate.resolve())
  after(() => open.disposeAsync())

  /** A server of its own with one route; its address. */
  async function serveSlow(slow: () => Promise<{ ok: boolean }>, limits: TurnLimits) {
    const server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: pino({ level: 'silent' }),
      metrics: createMetrics('test'),
      health: {},
      ...limits,
      routes: { slow: routes.slow },
      handlers: { slow },
    })
    open.defer(() => server.close())
    return `http://127.0.0.1:${server.port}`
  }

  const get = (signal?: AbortSignal) => fetch(`${url}/api/v1/slow`, signal ? { signal } : {})

  /** As many requests under way as there may be. */
  async function fill(signal?: AbortSignal) {
    const all = Array.from({ length: maxInFlight }, () => get(signal))
    for (const one of all) one.catch(() => undefined)
    await waitFor('all to be under way', () => entered === maxInFlight)
    return all
  }

  it('answers 503 at once with a time to come back, and serves again when there is room', async () => {
    const running = await fill()
    const startedAt = performance.now()
    const refused = await Promise.all(Array.from({ length: 20 }, () => get()))
    const ms = performance.now() - startedAt
    const [problem] = await Promise.all(
      refused.map((one) => one.json() as Promise<{ type: string }>),
    )
    gate.resolve()

    for (const { status, headers } of refused) {
      assert.equal(status, 503)
      assert.equal(headers.get('retry-after'), '1')
    }
    assert.equal(problem?.type, 'urn:shop:problem:unavailable')
    assert.ok(ms < 5_000, `${ms} ms`)
    assert.equal(entered, maxInFlight)
    assert.equal((await metrics.httpShed.get()).values[0]?.value, refused.length)
    for (const { status } of await Promise.all(running)) assert.equal(status, 200)
    assert.equal((await get()).status, 200)
  })

  it('still tells its health and measures, and takes uploads and watchers', async () => {
    await fill()
    const form = new FormData()
    form.set('data', new Blob(['x']), 'x')
    const answers = await Promise.all([
      fetch(`${url}/health/live`),
      fetch(`${url}/health/ready`),
      fetch(`${url}/metrics`),
      fetch(`${url}/api/v1/upload`, { method: 'POST', body: form }),
      fetch(`${url}/api/v1/things/1/events`),
    ])

    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200, 204],
    )
  })

  it('keeps the turn of a client that disconnected until its handler has ended, then has room', async () => {
    const abort = new AbortController()
    const running = await fill(abort.signal)
    abort.abort()
    await Promise.allSettled(running)

    assert.equal((await get()).status, 503)
    gate.resolve()
    await waitFor('room', async () => (await get()).status === 200)
  })

  it('checks no session of a write that it refuses', async () => {
    const write = () =>
      fetch(`${url}/api/v1/things`, {
        method: 'POST',
        headers: { authorization: `Bearer ${testTokens.tokenFor(randomUUID())}` },
      })
    await fill()
    const refused = await write()
    const checkedWhenRefused = checked
    gate.resolve()
    await waitFor('room', async () => (await write()).status === 200)

    assert.equal(refused.status, 503)
    assert.equal(checkedWhenRefused, 0)
    assert.equal(checked, 1)
  })

  it('is not ready while every turn is taken and none ends, and is ready again after one', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let begun = 0
    const slow = async () => {
      await gates[begun++]?.promise
      return { ok: true }
    }
    const target = await serveSlow(slow, { maxAtOnce: gates.length, stuckMs: 3_000 })
    open.defer(() => {
      for (const { resolve } of gates) resolve()
    })
    const isReady = async () => {
      const response = await fetch(`${target}/health/ready`)
      const { checks } = (await response.json()) as { checks: { requests: boolean } }
      assert.equal(response.status, checks.requests ? 200 : 503)
      return checks.requests
    }
    const stuck = gates.map(() => fetch(`${target}/api/v1/slow`))
    await waitFor('all turns to be taken', () => begun === gates.length)

    assert.ok(await isReady(), 'a house that has just filled is no reason to leave')
    await waitFor('the server to be not ready', async () => !(await isReady()))
    assert.equal((await fetch(`${target}/health/live`)).status, 200)
    gates[0]?.resolve()
    await waitFor('the server to be ready', isReady)

    gates[1]?.resolve()
    for (const { status } of await Promise.all(stuck)) assert.equal(status, 200)
  })

  it('handles a few side by side and gives all others their turn', async () => {
    let running = 0
    let most = 0
    const slow = async () => {
      running += 1
      most = Math.max(most, running)
      await gate.promise
      running -= 1
      return { ok: true }
    }
    const target = `${await serveSlow(slow, { maxAtOnce: 3 })}/api/v1/slow`
    const abort = new AbortController()
    const first = Array.from({ length: 10 }, () => fetch(target))
    await waitFor('a few', () => running === 3)
    const given = Array.from({ length: 10 }, () => fetch(target, { signal: abort.signal }))
    const gone = Promise.allSettled(given)
    const rest = Array.from({ length: 100 }, () => fetch(target))
    abort.abort()
    await gone
    gate.resolve()
    const all = await Promise.all([...first, ...rest])

    assert.deepEqual(new Set(all.map(({ status }) => status)), new Set([200]))
    assert.equal(most, 3)
    assert.equal((await fetch(target)).status, 200)
  })
})
