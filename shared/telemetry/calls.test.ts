import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ReceivedSpan, receiveSpans } from '../../scripts/stack/observe/otlp.ts'

const program = join(import.meta.dirname, '../../test/helpers/traced-calls.ts')
const begun = `00-${'a'.repeat(32)}-${'b'.repeat(16)}`

/** The spans of the program, and the headers of the message that it sent in its trace. */
async function run({ kept, share }: { kept: boolean; share: string }) {
  const spans: ReceivedSpan[] = []
  const receiver = await receiveSpans(0, async (received) => void spans.push(...received))
  const { stdout } = await promisify(execFile)(process.execPath, [program], {
    env: {
      PATH: process.env.PATH,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_TRACES_SAMPLER_ARG: share,
      TRACEPARENT: `${begun}-${kept ? '01' : '00'}`,
    },
    timeout: 140_000,
  })
  await receiver.close()
  return { spans, headers: JSON.parse(stdout) as Record<string, string> }
}

describe('the spans of calls and messages', function () {
  this.timeout(150_000)

  let spans: ReceivedSpan[]
  let work: ReceivedSpan

  const only = (what: string, is: (span: ReceivedSpan) => boolean): ReceivedSpan => {
    const [span, ...more] = spans.filter(is)
    assert.ok(span && more.length === 0, `${what}: ${spans.filter(is).length}`)
    return span
  }

  before(async () => {
    spans = (await run({ kept: true, share: '0' })).spans
    work = only('work', ({ name }) => name === 'work')
  })

  for (const [protocol, name] of [
    ['HTTP', 'GET /api/v1/things/:id'],
    ['gRPC', 'grpc.auth.AuthService/Authenticate'],
  ] as const) {
    it(`lead over ${protocol} from the caller to the server`, () => {
      const served = only(name, (span) => span.name === name && span.kind === 'SERVER')
      const called = only('its call', ({ spanId }) => spanId === served.parentId)

      assert.equal(called.kind, 'CLIENT')
      assert.equal(called.parentId, work.spanId)
    })
  }

  it('are one for each attempt to handle a message, as parts of the trace that sent it', () => {
    const attempts = spans
      .filter(({ kind, traceId }) => kind === 'CONSUMER' && traceId === work.traceId)
      .toSorted((a, b) => a.startedAt - b.startedAt)

    assert.deepEqual(
      attempts.map(({ name, parentId, error }) => [name, parentId, error]),
      [
        ['tests reserveStock', work.spanId, 'Error: not yet'],
        ['tests reserveStock', work.spanId, null],
      ],
    )
  })

  it('begin a trace of their own, with a link, for a message that is late', () => {
    const late = only('late', ({ kind, traceId }) => {
      return kind === 'CONSUMER' && traceId !== work.traceId
    })

    assert.equal(late.parentId, '')
    assert.deepEqual(late.links, [{ traceId: work.traceId, spanId: work.spanId }])
    for (const { spanId, links } of spans) if (spanId !== late.spanId) assert.deepEqual(links, [])
  })

  it('are none for a trace that is not kept, of which no message tells', async () => {
    const lost = await run({ kept: false, share: '0' })

    assert.deepEqual(lost.spans, [])
    assert.equal(lost.headers.traceparent, undefined)
  })

  it('begin with a request that belongs to no trace, if its share is kept', async () => {
    const { spans: begin } = await run({ kept: false, share: '1' })

    // Both: the caller in the trace that is not kept says nothing of it.
    const expected = ['GET /api/v1/things/:id', 'SERVER', '']
    assert.deepEqual(
      begin.map(({ name, kind, parentId }) => [name, kind, parentId]),
      [expected, expected],
    )
  })
})
