import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { pino } from 'pino'
import { z } from 'zod'
import type { Routes } from '../../contracts/route.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { waitFor } from '../../runtime/wait-for.ts'
import { startHttpServer } from '../server.ts'
import type { RateFloor } from './rate-floor.ts'

const routes = {
  login: {
    method: 'post',
    path: '/login',
    summary: 'Log in',
    body: z.strictObject({ name: z.string() }),
    status: 200,
    response: z.object({ name: z.string() }),
  },
  cancel: {
    method: 'post',
    path: '/cancel',
    summary: 'Cancel',
    status: 200,
    response: z.object({ ok: z.boolean() }),
  },
} as const satisfies Routes

describe('a body that does not come', () => {
  const open = new AsyncDisposableStack()
  let server: Awaited<ReturnType<typeof serve>>

  async function serve(limits: { bodyRateFloor?: RateFloor } = {}) {
    const metrics = createMetrics('test')
    const { port, close } = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: pino({ level: 'silent' }),
      metrics,
      health: {},
      maxInFlight: 8,
      maxAtOnce: 8,
      ...limits,
      routes,
      handlers: {
        login: async ({ body }) => ({ name: body.name }),
        cancel: async () => ({ ok: true }),
      },
    })
    open.defer(close)
    return {
      port,
      async inStage(stage: string) {
        const metric = await metrics.registry.getSingleMetric('http_requests_in_flight')?.get()
        return metric?.values.find(({ labels }) => labels.stage === stage)?.value
      },
    }
  }

  before(async () => {
    server = await serve()
  })

  after(() => open.disposeAsync())

  /** Sends the head of a request whose body it never sends. */
  async function slowClient(path = '/login', length = 90, { port } = server): Promise<Socket> {
    const socket = connect(port, '127.0.0.1')
    open.defer(() => {
      socket.destroy()
    })
    await once(socket, 'connect')
    socket.write(
      `POST /api/v1${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n{`,
    )
    return socket
  }

  /** Waits for the end of a connection; by a reset, when the client still sends what nobody reads. */
  const closing = (socket: Socket) =>
    new Promise<void>((resolve) => {
      socket.on('error', () => undefined)
      socket.once('close', () => resolve())
    })

  it('takes no turn of those who sent theirs', async () => {
    // None of them is too slow before the last one has come.
    const patient = await serve({ bodyRateFloor: { graceMs: 14_000, bytesPerSecond: 1_000 } })
    const login = () =>
      fetch(`http://127.0.0.1:${patient.port}/api/v1/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"name":"An"}',
      })
    await Promise.all(Array.from({ length: 70 }, () => slowClient('/login', 90, patient)))
    await waitFor('all to arrive', async () => (await patient.inStage('body')) === 70)

    const answers = await Promise.all(Array.from({ length: 20 }, login))

    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.equal(await patient.inStage('running'), 0)
  })

  it('is answered 408 after a short time, and its connection is closed', async () => {
    const slow = await slowClient()
    const drip = setInterval(() => slow.write(' '), 400)
    let answer = ''
    slow.on('data', (chunk) => {
      answer += chunk
    })
    await closing(slow)
    clearInterval(drip)

    assert.match(answer, /^HTTP\/1\.1 408 /)
    assert.match(answer, /application\/problem\+json/)
    assert.match(answer, /"type":"urn:shop:problem:request-timeout"/)
    assert.equal(await server.inStage('body'), 0)
  })

  it('is not waited for by a route that takes none', async () => {
    const slow = await slowClient('/cancel')
    const [head] = (await once(slow, 'data')) as [Buffer]

    assert.match(String(head), /^HTTP\/1\.1 200 /)
    // The connection is not the client's to keep.
    await closing(slow)
  })

  it('is refused by its length alone when it would be too large', async () => {
    const slow = await slowClient('/login', 200_000)
    const [head] = (await once(slow, 'data')) as [Buffer]

    assert.match(String(head), /^HTTP\/1\.1 413 /)
  })
})
