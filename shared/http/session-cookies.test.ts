import assert from 'node:assert/strict'
import { z } from 'zod'
import type { Routes } from '../contracts/route.ts'
import { createLogger } from '../runtime/logger.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { startHttpServer } from './server.ts'

const routes = {
  open: {
    method: 'post',
    path: '/open',
    summary: 'Opens a session',
    cookies: true,
    status: 200,
    response: z.object({ had: z.string().nullable() }),
  },
} as const satisfies Routes

async function startService(secureCookies: boolean) {
  return startHttpServer({
    host: '127.0.0.1',
    port: 0,
    logger: createLogger('test', 'silent'),
    metrics: createMetrics('test'),
    routes,
    secureCookies,
    handlers: {
      open: async ({ refreshToken }) => ({
        answer: { had: refreshToken ?? null },
        cookies: {
          ...{ refreshToken: 'refresh', refreshSeconds: 600 },
          ...{ streamToken: 'stream', streamSeconds: 60 },
        },
      }),
    },
    health: {},
  })
}

async function open(port: number, headers: Record<string, string> = {}) {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/open`, { method: 'POST', headers })
  return { status: response.status, cookies: response.headers.getSetCookie(), response }
}

describe('the cookies of a session', () => {
  it('are sent by https only, under names that promise it, where the shop is reached by https', async () => {
    const server = await startService(true)
    const { cookies } = await open(server.port)
    await server.close()

    assert.deepEqual(
      cookies.map((text) => text.split('=')[0]),
      ['__Secure-shop_refresh', '__Secure-shop_stream'],
    )
    for (const text of cookies) assert.match(text, /; Secure(;|$)/)
  })

  it('work by http where the shop is reached by that, and end with their tokens', async () => {
    const server = await startService(false)
    const { cookies } = await open(server.port)
    await server.close()

    const [refresh = '', stream = ''] = cookies
    assert.match(refresh, /^shop_refresh=refresh; Max-Age=600; Path=\/api\/v1\/account\/session;/)
    assert.match(stream, /^shop_stream=stream; Max-Age=60; Path=\/api\/v1\/purchases;/)
    assert.ok(cookies.every((text) => !text.includes('Secure')))
  })

  it('are read by either name', async () => {
    const server = await startService(false)
    for (const name of ['shop_refresh', '__Secure-shop_refresh']) {
      const { response } = await open(server.port, { cookie: `other=1; ${name}=mine` })
      assert.deepEqual(await response.json(), { had: 'mine' }, name)
    }
    await server.close()
  })

  it('are neither read nor set for a page of another origin', async () => {
    const server = await startService(false)
    const own = `http://127.0.0.1:${server.port}`
    const asked: [Record<string, string>, number][] = [
      [{ origin: own }, 200],
      [{ origin: own.replace('127.0.0.1', 'localhost') }, 403],
      [{ origin: 'http://127.0.0.1:1' }, 403],
      [{ origin: 'null' }, 403],
      [{ origin: 'nonsense' }, 403],
    ]

    for (const [headers, expected] of asked) {
      const { status, cookies } = await open(server.port, headers)
      assert.equal(status, expected, JSON.stringify(headers))
      assert.equal(cookies.length, expected === 200 ? 2 : 0)
    }
    await server.close()
  })
})
