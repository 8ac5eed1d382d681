import assert from 'node:assert/strict'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { createTcpProxy } from '../../test/helpers/tcp-proxy.ts'
import { AppError } from '../runtime/errors.ts'
import { waitFor } from '../runtime/wait-for.ts'
import { connectGrpc, type GrpcClient } from './client.ts'
import { startGrpcServer } from './server.ts'

const host = '127.0.0.1'
const deadlineMs = 2_000
/** Of calls that are answered. */
const patienceMs = 20_000
const maxInFlight = 8

/** How long something took, in ms, and how it failed. */
async function timed(call: () => Promise<unknown>) {
  const startedAt = performance.now()
  const error = await call().then(
    () => undefined,
    (thrown: AppError) => thrown,
  )
  return { ms: performance.now() - startedAt, kind: error?.kind, detail: error?.message }
}

/** Passes calls on as Traefik does, and answers as it does when a server is not there. */
async function startGateway(target: string) {
  let left = 0
  const upstream = connect(`http://${target}`)
  const server = createServer()
  server.on('stream', (stream, headers) => {
    if (left > 0) {
      left -= 1
      stream.respond({ ':status': 502, 'content-type': 'text/plain; charset=utf-8' })
      stream.end('Bad Gateway')
      return
    }
    const passed = upstream.request({ ...headers, ':authority': target })
    passed.once('response', (answer) => stream.respond(answer, { waitForTrailers: true }))
    passed.once('trailers', (trailers) => {
      stream.once('wantTrailers', () => stream.sendTrailers(trailers))
    })
    stream.pipe(passed).pipe(stream)
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const { port } = server.address() as AddressInfo
  return {
    address: `${host}:${port}`,
    /** Refuses the next calls. */
    refuse: (calls: number) => {
      left = calls
    },
    refusals: () => left,
    close() {
      upstream.destroy()
      server.close()
    },
  }
}

describe('gRPC', () => {
  const open = new AsyncDisposableStack()
  let answer: () => Promise<void>
  let asked = 0
  let proxy: Awaited<ReturnType<typeof createTcpProxy>>
  let address: string

  before(async () => {
    const server = open.adopt(
      await startGrpcServer({
        service: 'auth',
        host,
        port: 0,
        logger: pino({ level: 'silent' }),
        maxInFlight,
        handlers: {
          async Authenticate({ access_token }) {
            asked += 1
            await answer()
            return { account_id: access_token, email_verified: true, roles: [] }
          },
          GetDeliveries: async () => ({ deliveries: [] }),
        },
      }),
      (it) => it.close(),
    )
    proxy = open.adopt(await createTcpProxy({ host, port: server.port }), (it) => it.close())
    address = `${host}:${proxy.port}`
  })

  beforeEach(() => {
    answer = async () => undefined
    asked = 0
    proxy.heal()
  })

  after(() => open.disposeAsync())

  async function withClient(
    use: (client: GrpcClient<'auth'>) => Promise<void>,
    callDeadlineMs = deadlineMs,
  ) {
    const client = connectGrpc('auth', address, { deadlineMs: callDeadlineMs })
    try {
      await use(client)
    } finally {
      client.close()
    }
  }

  const ask = (client: GrpcClient<'auth'>) => () => client.Authenticate({ access_token: 'a' })

  it('a service that never answers costs a deadline for a few calls, then nothing', () =>
    withClient(async (client) => {
      const gate = Promise.withResolvers<void>()
      answer = () => gate.promise
      // A timer shows how long this machine takes for a deadline.
      const [deadline, ...slow] = await Promise.all([
        timed(() => sleep(deadlineMs)),
        ...Array.from({ length: 5 }, () => timed(ask(client))),
      ])
      const quick = await Promise.all(Array.from({ length: 50 }, () => timed(ask(client))))
      gate.resolve()

      for (const { kind, ms } of slow) {
        assert.equal(kind, 'unavailable')
        assert.ok(ms < deadline.ms * 3, `${ms} ms`)
      }
      assert.equal(asked, 5)
      for (const { kind, ms } of quick) {
        assert.equal(kind, 'unavailable')
        assert.ok(ms < deadlineMs, `${ms} ms`)
      }
    }))

  it('an unavailable service is called a bounded number of times, and again when it is available', () =>
    withClient(async (client) => {
      proxy.cut()
      const gone = await timed(ask(client))
      proxy.heal()

      assert.equal(gone.kind, 'unavailable')
      assert.ok(gone.ms < deadlineMs * 3, `${gone.ms} ms`)
      assert.equal(asked, 0)
      const back = async () => (await timed(ask(client))).kind === undefined
      await waitFor('the service to be called again', back)
      assert.equal((await timed(ask(client))).kind, undefined)
    }))

  it('a call is retried when the proxy has no connection to one of the replicas', async () => {
    const gateway = open.adopt(await startGateway(address), (it) => it.close())
    const client = connectGrpc('auth', gateway.address, { deadlineMs: patienceMs })
    try {
      gateway.refuse(3)
      assert.equal((await timed(ask(client))).kind, undefined)
      gateway.refuse(4)
      assert.equal((await timed(ask(client))).kind, 'unavailable')
      assert.equal(gateway.refusals(), 0)
    } finally {
      client.close()
    }
    assert.equal(asked, 1)
  })

  it('a refusal is an answer: it does not count as a failure', () =>
    withClient(async (client) => {
      answer = async () => {
        throw new AppError('unauthorized', 'no')
      }
      const times = Array.from({ length: 12 })
      for (const _ of times) assert.equal((await timed(ask(client))).kind, 'unauthorized')

      assert.equal(asked, times.length)
    }))

  it('a server takes as many calls at once as it may, and refuses the next at once', () =>
    withClient(async (client) => {
      const gate = Promise.withResolvers<void>()
      answer = () => gate.promise
      const refused: (string | undefined)[] = []
      const all = Array.from({ length: maxInFlight + 4 }, () =>
        timed(ask(client)).then((answered) => {
          refused.push(answered.kind)
          return answered
        }),
      )
      // All of them: a call that the server reads only when there is room is not refused.
      await waitFor('the refusals', () => refused.length >= 4)
      assert.deepEqual(refused, Array(4).fill('unavailable'))
      gate.resolve()
      const kinds = (await Promise.all(all)).map(({ kind }) => kind)

      assert.equal(asked, maxInFlight)
      assert.equal(kinds.filter((kind) => kind === undefined).length, maxInFlight)
      assert.equal((await timed(ask(client))).kind, undefined)
    }, patienceMs))
})
