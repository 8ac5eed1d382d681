import assert from 'node:assert/strict'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { buffer, json } from 'node:stream/consumers'
import { pino } from 'pino'
import { z } from 'zod'
import type { Problem } from './errors.ts'
import { startHttpServer } from './http.ts'
import { createMetrics } from './metrics.ts'
import type { Routes } from './route.ts'

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
      handlers: {
        send: async ({ form }) => {
          const files: { name: string; content: string }[] = []
          for await (const { name, content } of form.files) {
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
