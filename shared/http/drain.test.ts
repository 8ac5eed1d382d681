import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { pino } from 'pino'
import { z } from 'zod'
import type { Routes } from '../contracts/route.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { waitFor } from '../runtime/wait-for.ts'
import { closeListener, trackConnections } from './drain.ts'
import { startHttpServer } from './server.ts'

const Answer = z.object({ ok: z.boolean() })

const routes = {
  find: { method: 'get', path: '/find', summary: 'Find', status: 200, response: Answer },
  wait: { method: 'get', path: '/wait', summary: 'Wait', status: 200, response: Answer },
  upload: {
    method: 'post',
    path: '/upload',
    summary: 'Upload',
    multipart: { fields: z.strictObject({}), files: 'data' },
    status: 200,
    response: Answer,
  },
} as const satisfies Routes

describe('a server that drains', () => {
  let uploading: PromiseWithResolvers<void>
  let waiting: PromiseWithResolvers<void>
  let go: PromiseWithResolvers<void>

  function start(drainNoticeMs: number) {
    uploading = Promise.withResolvers()
    waiting = Promise.withResolvers()
    go = Promise.withResolvers()
    return startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: pino({ level: 'silent' }),
      metrics: createMetrics('test'),
      health: {},
      drainNoticeMs,
      routes,
      handlers: {
        find: async () => ({ ok: true }),
        async wait() {
          waiting.resolve()
          await go.promise
          return { ok: true }
        },
        async upload({ form }) {
          uploading.resolve()
          for await (const { content } of form.files) for await (const _ of content);
          return { ok: true }
        },
      },
    })
  }

  /** An upload whose second half comes when the test says so. */
  async function beginUpload(port: number) {
    const socket = connect(port, '127.0.0.1')
    const answer = text(socket)
    const part =
      '--x\r\nContent-Disposition: form-data; name="data"; filename="a"\r\n\r\nab\r\n--x--\r\n'
    socket.write(
      `POST /api/v1/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: ${part.length}\r\n\r\n${part.slice(0, -8)}`,
    )
    await uploading.promise
    return { answer, end: () => socket.write(part.slice(-8)) }
  }

  it('serves others while an upload ends, not ready, and takes no new upload', async () => {
    const server = await start(0)
    const url = `http://127.0.0.1:${server.port}`
    const upload = await beginUpload(server.port)

    const closed = server.close()
    await waitFor('not ready', async () => (await fetch(`${url}/health/ready`)).status === 503)
    const other = await fetch(`${url}/api/v1/find`)
    const form = new FormData()
    form.set('data', new Blob(['x']), 'x')
    const refused = await fetch(`${url}/api/v1/upload`, { method: 'POST', body: form })
    upload.end()

    assert.equal(other.status, 200)
    assert.equal(other.headers.get('connection'), 'keep-alive')
    assert.equal(refused.status, 503)
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.match(await upload.answer, /^HTTP\/1\.1 200 /)
    await closed
    await assert.rejects(fetch(url))
  })

  it('serves on for its notice, so that balancers leave before it takes no connection', async () => {
    const noticeMs = 2_000
    const server = await start(noticeMs)
    const url = `http://127.0.0.1:${server.port}`
    const silent = connect(server.port, '127.0.0.1')
    await once(silent, 'connect')

    const startedAt = performance.now()
    const closed = server.close()
    const ready = await fetch(`${url}/health/ready`)
    const served = await fetch(`${url}/api/v1/find`)
    await closed

    assert.equal(ready.status, 503)
    assert.equal(served.status, 200)
    assert.ok(performance.now() - startedAt >= noticeMs)
  })

  it('closes a connection with its next answer once it takes no other', async () => {
    const server = await start(0)
    const socket = connect(server.port, '127.0.0.1')
    const answers = text(socket)
    const find = 'GET /api/v1/find HTTP/1.1\r\nHost: x\r\n\r\n'
    socket.write(find.replace('find', 'wait'))
    await waiting.promise

    const closed = server.close()
    await waitFor('a refused connection', () =>
      fetch(`http://127.0.0.1:${server.port}/api/v1/find`).then(
        () => false,
        () => true,
      ),
    )
    socket.write(find)
    go.resolve()

    const connections = (await answers).matchAll(/^Connection: (.*)\r$/gm)
    assert.deepEqual(
      Array.from(connections, ([, told]) => told),
      ['keep-alive', 'close'],
    )
    await closed
  })

  it('answers a request that came while the process was stalled', async () => {
    const server = createServer((_, response) => response.end('ok'))
    const connections = trackConnections(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const answers = text(socket)
    const find = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
    socket.write(find)
    await once(socket, 'data')

    await closeListener(server, connections, {
      // Then the next look at what is silent is due before anything is read.
      onClosed: () =>
        setImmediate(() => {
          socket.write(find)
          const until = performance.now() + 1_000
          while (performance.now() < until);
        }),
      overdue: () => false,
    })

    assert.equal((await answers).match(/200 OK/g)?.length, 2)
  })
})
