import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { z } from 'zod'
import type { StackInfo } from '../../scripts/stack/client.ts'
import { prepare } from '../../scripts/stack/engines/traefik.ts'
import { freePort, resolvePorts } from '../../scripts/stack/ports.ts'
import type { Problem } from '../../shared/contracts/problem.ts'
import type { Routes } from '../../shared/contracts/route.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'

/** Of Traefik for the headers of an answer of the service that hangs, in place of a minute. */
const responseTimeoutMs = 5_000

const routes = {
  hang: {
    method: 'get',
    path: '/orders',
    summary: 'Hang',
    status: 200,
    response: z.object({ ok: z.boolean() }),
  },
  list: {
    method: 'get',
    path: '/media',
    summary: 'List',
    status: 200,
    response: z.object({ ok: z.boolean() }),
  },
  upload: {
    method: 'post',
    path: '/media/upload',
    summary: 'Upload',
    multipart: { fields: z.strictObject({}), files: 'data' },
    status: 200,
    response: z.object({ ok: z.boolean() }),
  },
} as const satisfies Routes

describe('Traefik, in front of services that are there or not', function () {
  this.timeout(180_000)
  const open = new AsyncDisposableStack()
  let uploading = Promise.withResolvers<void>()
  let web: string
  let cdn: string
  let mediaPort: number
  let hanging = 0
  const hang = Promise.withResolvers<void>()

  const startService = async (port: number) => {
    const server = await startHttpServer({
      host: '127.0.0.1',
      port,
      logger: pino({ level: 'silent' }),
      metrics: createMetrics('test'),
      health: {},
      drainNoticeMs: 200,
      routes,
      handlers: {
        async hang() {
          hanging += 1
          await hang.promise
          return { ok: true }
        },
        list: async () => ({ ok: true }),
        async upload({ form }) {
          for await (const { content } of form.files) {
            for await (const _ of content) uploading.resolve()
          }
          return { ok: true }
        },
      },
    })
    open.defer(() => server.close())
    return server
  }

  before(async () => {
    const account = await startService(0)
    mediaPort = await freePort()
    const dataDir = await mkdtemp(join(tmpdir(), 'gateway-'))
    open.defer(() => rm(dataDir, { recursive: true }))
    const nowhere = await freePort()
    const ports = {
      ...resolvePorts(0, {}),
      product: nowhere,
      web: await freePort(),
      cdn: await freePort(),
      operators: await freePort(),
      grpc: await freePort(),
      dashboard: await freePort(),
      account: account.port,
      order: account.port,
      media: mediaPort,
    }
    web = `http://127.0.0.1:${ports.web}`
    cdn = `http://127.0.0.1:${ports.cdn}`
    const urls = { minio: `http://127.0.0.1:${nowhere}` }
    const stack = { ports, urls, dataDir, replicas: {} } as unknown as StackInfo
    const [process] = await prepare(stack, () => undefined)
    assert.ok(process)
    const impatient = join(dataDir, 'traefik.yml')
    await writeFile(impatient, await impatientRoutes())
    const args = process.args.map((argument) =>
      argument.startsWith('--providers.file.filename=')
        ? `--providers.file.filename=${impatient}`
        : argument,
    )
    assert.ok(args.some((argument) => argument.endsWith(impatient)))
    const child = spawn(process.command, args, {
      env: process.env,
      cwd: process.cwd,
      stdio: 'ignore',
    })
    const exited = once(child, 'exit')
    open.defer(async () => {
      child.kill()
      await exited
    })
    // Its own 404 until it has read its routes.
    await waitFor('Traefik', async () => isProblem(await fetch(`${web}/nothing`)))
  })

  after(() => open.disposeAsync())

  function isProblem({ headers }: Response): boolean {
    return headers.get('content-type')?.startsWith('application/problem+json') ?? false
  }

  async function problemOf(response: Response): Promise<Problem> {
    assert.ok(isProblem(response))
    return (await response.json()) as Problem
  }

  it('answers a path that nobody serves as problem+json, whatever the method', async () => {
    for (const [url, method] of [
      [`${web}/nothing`, 'GET'],
      [`${web}/metrics`, 'GET'],
      [`${web}/health/ready`, 'POST'],
      [`${cdn}/buckets`, 'GET'],
    ] as const) {
      const response = await fetch(url, { method })

      assert.equal(response.status, 404, url)
      assert.equal((await problemOf(response)).type, 'urn:shop:problem:not-found')
    }
  })

  it('answers as problem+json when a service is down for longer than its restart takes', async () => {
    const response = await fetch(`${web}/api/v1/products`)

    assert.equal(response.status, 502)
    assert.deepEqual(await problemOf(response), {
      type: 'urn:shop:problem:bad-gateway',
      title: 'The service did not answer',
      status: 502,
      detail: 'the service did not answer; it may be restarting',
    })
  })

  it('answers as problem+json when a service takes longer than it may, and asks it once', async () => {
    const response = await fetch(`${web}/api/v1/orders`)
    hang.resolve()

    assert.equal(response.status, 504)
    assert.deepEqual(await problemOf(response), {
      type: 'urn:shop:problem:gateway-timeout',
      title: 'The service did not answer in time',
      status: 504,
      detail: 'the service did not answer in time',
    })
    assert.equal(hanging, 1)
  })

  it('passes on what a service itself refuses', async () => {
    const response = await fetch(`${web}/api/v1/account/nothing`)

    assert.equal(response.status, 404)
    assert.equal((await problemOf(response)).instance, '/api/v1/account/nothing')
  })

  it('gives others no 5xx while a service restarts under a long upload', async () => {
    const first = await startService(mediaPort)
    uploading = Promise.withResolvers()
    const rest = Promise.withResolvers<void>()
    const boundary = 'x'
    const upload = fetch(`${web}/api/v1/media/upload`, {
      method: 'POST',
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      duplex: 'half',
      body: ReadableStream.from(
        (async function* () {
          yield Buffer.from(
            `--x\r\nContent-Disposition: form-data; name="data"; filename="a"\r\n\r\n${'a'.repeat(1_000)}`,
          )
          await rest.promise
          yield Buffer.from('\r\n--x--\r\n')
        })(),
      ),
    } as RequestInit)
    await uploading.promise

    let stop = false
    const statuses: Record<number, number> = {}
    const others = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (!stop) {
          const { status } = await fetch(`${web}/api/v1/media`)
          statuses[status] = (statuses[status] ?? 0) + 1
        }
      }),
    )
    const closed = first.close()
    // Longer than Traefik tries again for, if the listener were closed at once.
    const due = performance.now() + 5_000
    await waitFor('a long upload', () => performance.now() > due)
    rest.resolve()
    assert.equal((await upload).status, 200)
    await closed
    await startService(mediaPort)
    const served = statuses[200] ?? 0
    await waitFor('the next process to serve', () => (statuses[200] ?? 0) > served + 100)
    stop = true
    await others

    assert.deepEqual(Object.keys(statuses), ['200'])
  })
})

/** The routes of the shop, with a Traefik that waits less for the service that hangs, and for no other. */
async function impatientRoutes(): Promise<string> {
  const routes = await readFile(join(import.meta.dirname, '../../traefik.yml'), 'utf8')
  const service = '    order:\n      loadBalancer:\n        serversTransport: backend\n'
  const transport = '\n    backend:\n'
  const patience = 'responseHeaderTimeout: 60s'
  for (const text of [service, transport, patience]) {
    assert.equal(routes.split(text).length, 2, text)
  }
  const [, settings = ''] = routes.split(transport)
  const impatience = `responseHeaderTimeout: ${responseTimeoutMs}ms`
  return (
    routes.replace(service, service.replace('backend', 'impatient')) +
    `    impatient:\n${settings.replace(patience, impatience)}`
  )
}
