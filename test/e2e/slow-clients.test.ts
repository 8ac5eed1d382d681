import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import type { Writable } from 'node:stream'
import { registerCustomer, request } from '../../scripts/stack/shop-client.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { testStack } from '../helpers/stack.ts'

const slowClients = 70
const dripMs = 50
const bodyBytes = 90
/** A body that drips is cut after 3 s: a request that waits for one takes longer than this. */
const unhinderedMs = 2_500
/** The more rounds, the busier a machine may be. */
const rounds = 8
const pathOf = (index: number) => `/api/v1/account/${index % 2 ? 'login' : 'refresh'}`

/** Requests whose heads have arrived, and whose bodies are to be written. */
const ways: Record<string, (origin: URL, open: DisposableStack) => Promise<Writable[]>> = {
  'over a connection each': ({ hostname, port }, open) =>
    Promise.all(
      Array.from({ length: slowClients }, async (_, index) => {
        const socket = connect(Number(port), hostname)
        open.adopt(socket, () => socket.destroy())
        socket.on('error', () => undefined)
        await once(socket, 'connect')
        socket.write(
          `POST ${pathOf(index)} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n` +
            `Content-Length: ${bodyBytes}\r\n\r\n`,
        )
        return socket
      }),
    ),
  'in streams of one HTTP/2 connection': async ({ origin }, open) => {
    const session = open.adopt(connectHttp2(origin), (it) => it.destroy())
    await once(session, 'remoteSettings')
    return Array.from({ length: slowClients }, (_, index) =>
      session
        .request({
          ':method': 'POST',
          ':path': pathOf(index),
          'content-type': 'application/json',
          'content-length': bodyBytes,
        })
        .on('error', () => undefined)
        .resume(),
    )
  },
}

describe('clients that drip their bodies', function () {
  this.timeout(300_000)

  /**
   * Reads and logs in while all bodies drip. Answers with the time that the slowest of it took: endless if the first
   * body was cut before the last one dripped.
   */
  async function useMeanwhile(send: (typeof ways)[string]): Promise<number> {
    using open = new DisposableStack()
    const { api } = (await testStack()).urls
    const { token, email, password } = await registerCustomer(api)
    const bodies = await send(new URL(api), open)
    let drips = 0
    const drip = setInterval(() => {
      for (const body of bodies) if (body.writable) body.write(drips === 0 ? '{' : ' ')
      drips += 1
    }, dripMs)
    open.defer(() => clearInterval(drip))
    const all = await waitFor(
      'every body to drip',
      () => drips > 3 && bodies.every((body) => body.writable && body.writableLength === 0),
      unhinderedMs,
    ).catch(() => false)
    if (!all) return Number.POSITIVE_INFINITY

    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const startedAt = performance.now()
        const { status } = await request(api, 'GET', '/account/customer/personal', { token })
        const login = await request(api, 'POST', '/account/login', { body: { email, password } })
        return { status, login: login.status, ms: performance.now() - startedAt }
      }),
    )

    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.deepEqual(new Set(answers.map(({ login }) => login)), new Set([200]))
    return Math.max(...answers.map(({ ms }) => ms))
  }

  for (const [how, send] of Object.entries(ways)) {
    it(`keep nobody from logging in or buying, ${how}`, async () => {
      // If anyone waited for a body, no round would be shorter. A busy machine makes some of them longer.
      const slowest: number[] = []
      while (slowest.length < rounds && !slowest.some((ms) => ms < unhinderedMs)) {
        slowest.push(await useMeanwhile(send))
      }

      assert.ok(Math.min(...slowest) < unhinderedMs, `${slowest.map(Math.round)} ms`)
    })
  }
})
