import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import { freePort } from '../ports.ts'
import { probeHttp } from '../probe.ts'

const program = join(import.meta.dirname, '../../../test/helpers/traced-calls.ts')

/** As https://zipkin.io/zipkin-api/ has it. */
type ZipkinSpan = {
  traceId: string
  id: string
  parentId?: string
  name: string
  kind?: string
  timestamp: number
  duration: number
  localEndpoint: { serviceName: string }
  tags: Record<string, string>
}

describe('what receives spans for Zipkin', function () {
  this.timeout(150_000)

  it('passes them on with their parents, errors, services and links', async () => {
    await using open = new AsyncDisposableStack()
    const spans: ZipkinSpan[] = []
    const zipkin = createServer(async (request, response) => {
      const received = (await json(request)) as ZipkinSpan[]
      const isKnown = `${request.method} ${request.url}` === 'POST /api/v2/spans'
      if (isKnown) spans.push(...received)
      response.writeHead(isKnown ? 202 : 404).end()
    }).listen(0, '127.0.0.1')
    await once(zipkin, 'listening')
    open.defer(async () => {
      zipkin.close()
      zipkin.closeAllConnections()
    })
    const { port } = zipkin.address() as AddressInfo
    const otlp = await freePort()
    const bridge = spawn(process.execPath, [join(import.meta.dirname, 'bridge.ts')], {
      env: {
        PATH: process.env.PATH,
        OTLP_PORT: `${otlp}`,
        ZIPKIN_URL: `http://127.0.0.1:${port}`,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const ended = once(bridge, 'exit')
    open.defer(async () => {
      bridge.kill('SIGTERM')
      await ended
    })
    const endpoint = `http://127.0.0.1:${otlp}`
    await waitFor('the bridge', () => probeHttp(`${endpoint}/health`).then(() => true), 60_000)

    await promisify(execFile)(process.execPath, [program], {
      env: {
        PATH: process.env.PATH,
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        OTEL_TRACES_SAMPLER_ARG: '0',
        TRACEPARENT: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      },
      timeout: 60_000,
    })

    // A process ends only after the collector has taken its spans.
    const work = spans.find(({ name }) => name === 'work')
    assert.ok(work)
    assert.equal(work.localEndpoint.serviceName, 'helpers')
    assert.equal(work.parentId, 'b'.repeat(16))
    assert.ok(!('kind' in work))
    const messages = spans.filter(({ kind }) => kind === 'CONSUMER')
    const of = (traceId: string) => messages.filter((span) => span.traceId === traceId)
    assert.deepEqual(
      of(work.traceId).map(({ parentId }) => parentId),
      [work.id, work.id],
    )
    assert.ok(of(work.traceId).some(({ tags }) => tags.error === 'Error: not yet'))
    const [late] = messages.filter(({ traceId }) => traceId !== work.traceId)
    assert.ok(late && !('parentId' in late))
    assert.equal(late.tags.linked_trace_id, work.traceId)
    for (const { duration, timestamp } of spans) assert.ok(duration >= 1 && timestamp > 1e15)
  })
})
