import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { pino } from 'pino'
import { z } from 'zod'
import type { Routes } from '../../contracts/route.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { waitFor } from '../../runtime/wait-for.ts'
import { startHttpServer } from '../server.ts'

const routes = {
  login: {
    method: 'post',
    path: '/login',
    summary: 'Log in',
    body: z.strictObject({ name: z.string() }),
    status: 200,
    response: z.object({ ok: z.boolean() }),
  },
  send: {
    method: 'post',
    path: '/send',
    summary: 'Send files',
    multipart: { fields: z.strictObject({ title: z.string() }), files: 'data' },
    status: 201,
    response: z.object({ ok: z.boolean() }),
  },
} as const satisfies Routes

const login = {
  path: '/login',
  type: 'application/json',
  body: JSON.stringify({ name: 'a'.repeat(90_000) }),
}
const part = (name: string) => `--b\r\nContent-Disposition: form-data; name="${name}"`
const form = {
  path: '/send',
  type: 'multipart/form-data; boundary=b',
  body: `${part('title')}\r\n\r\nTwo\r\n${part('data')}; filename="a"\r\n\r\nx\r\n--b--\r\n`,
}
const kinds = [
  // 8 MiB is half of what bodies may hold: 85 of 96 kB are less, 86 are more.
  { limit: 'body_bytes', ...login, length: 98_304, share: 85 },
  { limit: 'bodies', ...login, length: 90, share: 512 },
  { limit: 'forms', ...form, length: 90, share: 16 },
]

describe('a client with many bodies on their way', () => {
  for (const { limit, path, type, body, length, share } of kinds) {
    it(`is refused beyond its share of ${limit}, while others are served`, async () => {
      const metrics = createMetrics('test')
      await using server = await startHttpServer({
        host: '127.0.0.1',
        port: 0,
        logger: pino({ level: 'silent' }),
        metrics,
        health: {},
        // None of them is too slow before the last one has come.
        bodyRateFloor: { graceMs: 14_000, bytesPerSecond: 1_000 },
        routes,
        handlers: {
          login: async () => ({ ok: true }),
          send: async ({ form }) => {
            for await (const { content } of form.files) await buffer(content)
            return { ok: true }
          },
        },
      }).then((started) => ({ ...started, [Symbol.asyncDispose]: () => started.close() }))
      const refused = async () =>
        (await metrics.httpShed.get()).values.find(({ labels }) => labels.limit === limit)?.value
      const clients = Array.from({ length: share + 5 }, () => {
        const socket = connect(server.port, '127.0.0.1')
        // Those that are refused are cut off while they send.
        socket.on('error', () => undefined)
        socket.write(
          `POST /api/v1${path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.1\r\n` +
            `Content-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n{`,
        )
        return socket
      })
      const [refusal] = (await Promise.race(clients.map((one) => once(one, 'data')))) as [Buffer]
      await waitFor('five refusals', async () => (await refused()) === 5)
      const answer = await fetch(`http://127.0.0.1:${server.port}/api/v1${path}`, {
        method: 'POST',
        headers: { 'content-type': type, 'x-forwarded-for': '203.0.113.2' },
        body,
      })
      for (const one of clients) one.destroy()

      assert.match(String(refusal), /^HTTP\/1\.1 429 /)
      assert.match(String(refusal), /Retry-After: 1/i)
      assert.ok(answer.ok)
      assert.equal(await refused(), 5)
    })
  }
})
