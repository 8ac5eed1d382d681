import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { buffer, json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { z } from 'zod'
import type { Problem } from '../contracts/problem.ts'
import type { Routes } from '../contracts/route.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { startHttpServer } from './server.ts'

const routes = {
  send: {
    method: 'post',
    path: '/send',
    summary: 'Send files',
    multipart: { fields: z.strictObject({ title: z.string().min(1) }), files: 'data' },
    status: 201,
    response: z.object({
      title: z.string(),
      files: z.array(z.object({ name: z.string(), content: z.string() })),
    }),
  },
} as const satisfies Routes

const title = 'Content-Disposition: form-data; name="title"\r\n\r\nTwo\r\n'
const file = 'Content-Disposition: form-data; name="data"; filename="a.bin"\r\n\r\n'

/** The name of a file that the route takes its time over. */
const busy = 'busy.bin'
const rateFloor = { graceMs: 1_000, bytesPerSecond: 1_000 }

describe('a route with a form', () => {
  let server: Awaited<ReturnType<typeof startHttpServer>>

  before(async () => {
    server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: pino({ level: 'silent' }),
      metrics: createMetrics('test'),
      health: {},
      routes,
      maxFiles: 2,
      rateFloor,
      handlers: {
        send: async ({ form }) => {
          const files: { name: string; content: string }[] = []
          for await (const { name, content } of form.files) {
            if (name === busy) await sleep(rateFloor.graceMs * 2)
            files.push({ name, content: (await buffer(content)).toString('base64') })
          }
          return { title: form.fields.title, files }
        },
      },
    })
  })

  after(() => server.close())

  async function send(
    chunks: (string | Buffer)[],
    contentType = 'multipart/form-data; boundary=b',
  ) {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sending = httpRequest(
        { port: server.port, path: '/api/v1/send', method: 'POST' },
        resolve,
      ).on('error', reject)
      sending.setHeader('content-type', contentType)
      for (const chunk of chunks) sending.write(chunk)
      sending.end()
    })
    const body = (await json(response)) as Problem & { title: string; files: { content: string }[] }
    return { status: response.statusCode, body }
  }

  it('is recognised by its boundary, whatever its type and the disposition of its parts', async () => {
    for (const type of ['multipart/form-data', 'application/json']) {
      for (const parameter of ['boundary=b', 'boundary="b"', 'charset=utf-8; boundary=b']) {
        const parts = ['--b\r\n', title, '--b\r\n', file, 'x', '\r\n--b--\r\n']
        const attached = parts.map((part) => part.replace('form-data', 'attachment'))

        const { status, body } = await send(attached, `${type}; ${parameter}`)

        assert.equal(status, 201)
        const content = Buffer.from('x').toString('base64')
        assert.deepEqual(body, { title: 'Two', files: [{ name: 'a.bin', content }] })
      }
    }
  })

  it('knows a file by its name in either form', async () => {
    const named = {
      'filename="a b.png"': 'a b.png',
      'filename=a.png': 'a.png',
      'filename=""': '',
      'filename="caf\u00e9.png"': 'caf\u00e9.png',
      'filename="x%22;y.png"': 'x";y.png',
      "filename*=UTF-8''caf%C3%A9.png": 'caf\u00e9.png',
      "filename*=UTF-8''a%2Fb.png; filename=b.png": 'a/b.png',
      'filename*=broken': '',
      "FileName*=utf-8'en'a.png": 'a.png',
    }
    for (const [parameter, name] of Object.entries(named)) {
      const header = `Content-Disposition: form-data; name="data"; ${parameter}\r\n\r\n`

      const { status, body } = await send(['--b\r\n', title, '--b\r\n', header, 'x\r\n--b--\r\n'])

      assert.equal(status, 201, parameter)
      assert.deepEqual(body.files, [{ name, content: 'eA==' }], parameter)
    }
  })

  it('hands over every byte, those that look like a boundary too', async () => {
    const contents = ['\r\n--', '\r\n-\r\n--a\r\n--', '\r'.repeat(70_000), '']
    for (const content of contents) {
      const { status, body } = await send([
        ...['--b\r\n', title, '--b\r\n', file, content],
        ...['\r\n--b\r\n', file, Buffer.from([0, 255]), '\r\n--b--\r\n'],
      ])

      assert.equal(status, 201)
      assert.deepEqual(
        body.files.map((sent) => Buffer.from(sent.content, 'base64').toString('latin1')),
        [content, '\0\u00ff'],
      )
    }
  })

  /** The status that a client gets which sends these and then nothing, or one byte after the other. */
  async function stall(chunks: (string | Buffer)[], everyMs?: number) {
    const sending = httpRequest({ port: server.port, path: '/api/v1/send', method: 'POST' })
    sending.setHeader('content-type', 'multipart/form-data; boundary=b')
    for (const chunk of chunks) sending.write(chunk)
    const trickle =
      everyMs === undefined ? undefined : setInterval(() => sending.write('x'), everyMs)
    try {
      const [response] = (await once(sending, 'response')) as [IncomingMessage]
      return response.statusCode
    } finally {
      clearInterval(trickle)
      sending.destroy()
    }
  }

  it('aborts the form of a client that stalls or trickles, wherever in the form, however fast it was before', async () => {
    const fast = Buffer.alloc(1_000_000)

    assert.equal(await stall(['--b\r\n']), 408)
    assert.equal(await stall(['--b\r\n', title, '--b\r\n', file, 'x']), 408)
    assert.equal(await stall(['--b\r\n', title, '--b\r\n', file, fast]), 408)
    assert.equal(await stall(['--b\r\n', title, '--b\r\n', file, fast], 20), 408)
  })

  it('waits for a client that is held back by the route itself', async () => {
    const slowly = file.replace('a.bin', busy)

    const { status } = await send([
      ...['--b\r\n', title, '--b\r\n', slowly, Buffer.alloc(5_000_000), '\r\n'],
      ...['--b\r\n', slowly, Buffer.alloc(5_000_000), '\r\n--b--\r\n'],
    ])

    assert.equal(status, 201)
  })

  it('refuses a form that has no end, is no form or has too many parts', async () => {
    const part = ['--b\r\n', file, 'x\r\n']
    const cases: [(string | Buffer)[], number][] = [
      [['--b\r\n', title, '--b\r\n', file, 'x'], 400],
      [['--b\r\n', title, '--b\r\n', 'Content-Dispo'], 400],
      [['nonsense'], 400],
      [[''], 400],
      [['--b\r\n', title, ...part, ...part, ...part, '--b--\r\n'], 413],
      [
        [
          '--b\r\nContent-Disposition: form-data; name="title"\r\n\r\n',
          'x'.repeat(20_000),
          '\r\n--b--\r\n',
        ],
        413,
      ],
    ]
    for (const [chunks, expected] of cases) {
      const { status, body } = await send(chunks)
      assert.equal(status, expected, chunks.join('').slice(0, 100))
      assert.ok(body.type.startsWith('urn:shop:problem:'))
    }
  })
})
