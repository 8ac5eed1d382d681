import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import { pino } from 'pino'
import { problemOf, startThingServer, type ThingServer } from '../../test/helpers/thing-server.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { waitFor } from '../runtime/wait-for.ts'
import { startHttpServer } from './server.ts'

describe('startHttpServer', () => {
  let server: ThingServer

  before(async () => {
    server = await startThingServer()
  })

  after(() => server.close())

  it('answers 404 to a path that is not there', async () => {
    for (const response of [
      await server.get('/nothing'),
      await fetch(`${server.url}/things/${randomUUID()}`),
    ]) {
      assert.equal(response.status, 404)
      assert.equal((await problemOf(response)).type, 'urn:shop:problem:not-found')
    }
  })

  it('asks for a bearer token where the contract does', async () => {
    const accountId = randomUUID()
    const authorization = `Bearer ${testTokens.tokenFor(accountId)}`

    const refused = await server.post('/mine')
    const accepted = await server.post('/mine', '', { authorization })

    assert.equal(refused.status, 401)
    assert.equal(refused.headers.get('www-authenticate'), 'Bearer')
    assert.equal((await problemOf(refused)).type, 'urn:shop:problem:unauthorized')
    assert.equal(accepted.status, 200)
    assert.deepEqual(await accepted.json(), { id: accountId })
  })

  it('says when to come again if it is unavailable', async () => {
    const response = await server.get('/fail/busy')

    assert.equal(response.status, 503)
    assert.equal(response.headers.get('retry-after'), '1')
    assert.equal((await problemOf(response)).detail, 'too busy')
  })

  for (const how of ['bug', 'wrong-answer']) {
    it(`keeps a ${how} to itself and its log`, async () => {
      const logged = server.watchLog()

      const response = await server.get(`/fail/${how}`)

      assert.equal(response.status, 500)
      assert.deepEqual(await problemOf(response), {
        type: 'urn:shop:problem:internal',
        title: 'Something went wrong here',
        status: 500,
        instance: `/api/v1/fail/${how}`,
      })
      await waitFor('the log line', () => logged().includes('request errored'))
      assert.match(logged(), /"err":\{"type":/)
      assert.match(logged(), /"req":\{.*"url":"\/api\/v1\/fail/)
      assert.match(logged(), /"responseTime":\d+/)
      assert.equal(logged().match(/"stack"/g)?.length, 1)
    })
  }

  it('is ready as long as every check says so, and else tells which does not', async () => {
    const ready = await fetch(`${server.url}/health/ready`)
    Object.assign(server.health, {
      queue: () => false,
      storage: () => Promise.reject(new Error('unavailable')),
      transport: () => {
        throw new Error('unavailable')
      },
    })
    const notReady = await fetch(`${server.url}/health/ready`)
    const live = await fetch(`${server.url}/health/live`)

    assert.equal(ready.status, 200)
    assert.deepEqual(await ready.json(), {
      status: 'ready',
      checks: { database: true, requests: true },
    })
    assert.equal(notReady.status, 503)
    assert.deepEqual(await notReady.json(), {
      status: 'not ready',
      checks: { database: true, queue: false, storage: false, transport: false, requests: true },
    })
    assert.equal(live.status, 200)
  })

  it('does not wait for a check that hangs', async () => {
    Object.assign(server.health, { hanging: () => new Promise<boolean>(() => undefined) })

    const response = await fetch(`${server.url}/health/ready`)

    assert.equal(response.status, 503)
  })

  it('counts requests by route, not by path', async () => {
    const id = randomUUID()
    await server.get(`/things/${id}`)

    const metrics = await (await fetch(`${server.url}/metrics`)).text()

    assert.match(metrics, /http_request_duration_seconds_count\{.*route="\/things\/:id".*\} \d+/)
    assert.ok(!metrics.includes(id))
  })

  it('tells nothing of what serves it and sets the usual headers', async () => {
    const { headers } = await server.get('/nothing')

    assert.equal(headers.get('x-powered-by'), null)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
  })

  it('refuses to start on a port that is taken', async () => {
    const deps = { logger: pino({ level: 'silent' }), metrics: createMetrics('test'), health: {} }

    const second = startHttpServer({
      ...deps,
      host: '127.0.0.1',
      port: server.port,
      routes: {},
      handlers: {},
    })

    await assert.rejects(second, { code: 'EADDRINUSE' })
  })

  it('has a busy client connect again now and then, so that it finds other replicas', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const sockets = new Set<unknown>()
    const ask = () =>
      new Promise<string | undefined>((resolve, reject) => {
        const asked = get(`${server.url}/health/live`, { agent }, (answer) => {
          sockets.add(answer.socket)
          answer.resume().once('end', () => resolve(answer.headers.connection))
        })
        asked.once('error', reject)
      })

    const told = []
    for (let n = 0; n < 1_001; n++) told.push(await ask())
    agent.destroy()

    assert.deepEqual(
      told.flatMap((connection, n) => (connection === 'close' ? n + 1 : [])),
      [1_000],
    )
    assert.equal(sockets.size, 2)
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
    const running = server.get('/slow')
    await server.slow.started.promise

    const closed = server.close()
    await waitFor('a refused connection', () =>
      server.get('/things/1').then(
        () => false,
        () => true,
      ),
    )
    server.slow.end.resolve({ ok: true })

    assert.equal((await running).status, 200)
    await closed
  })
})
