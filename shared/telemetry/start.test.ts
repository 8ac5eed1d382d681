import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ReceivedSpan, receiveSpans } from '../../scripts/stack/observe/otlp.ts'

const program = join(import.meta.dirname, '../../test/helpers/traced-process.ts')

type Line = { msg: string; trace_id?: string; span_id?: string; loaded?: boolean }

describe('the traces of a process', function () {
  this.timeout(150_000)

  async function run(env: Record<string, string>): Promise<Record<string, Line>> {
    const { stdout } = await promisify(execFile)(process.execPath, [program], {
      env: { PATH: process.env.PATH, ...env },
      timeout: 140_000,
    })
    const lines = stdout.trim().split('\n')
    return Object.fromEntries(
      lines.map((line) => {
        const entry: Line = JSON.parse(line)
        return [entry.msg, entry]
      }),
    )
  }

  it('are sent to the endpoint, and its log lines name the span that they belong to', async () => {
    const spans: ReceivedSpan[] = []
    const receiver = await receiveSpans(0, async (received) => void spans.push(...received))

    const { inside, outside } = await run({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      TRACEPARENT: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    })
    await receiver.close()

    const [span] = spans
    assert.equal(spans.length, 1)
    assert.equal(span?.name, 'work')
    assert.equal(span?.attributes.purchase_id, 'p1')
    assert.equal(span?.error, 'TypeError: no such thing')
    assert.equal(inside?.trace_id, span?.traceId)
    assert.equal(inside?.span_id, span?.spanId)
    assert.equal(outside?.trace_id, undefined)
  })

  it('are not kept if the one who began the trace does not keep it, and log lines name none', async () => {
    const spans: ReceivedSpan[] = []
    const receiver = await receiveSpans(0, async (received) => void spans.push(...received))

    const { modules, inside } = await run({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_TRACES_SAMPLER_ARG: '1',
      TRACEPARENT: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`,
    })
    await receiver.close()

    assert.equal(modules?.loaded, true)
    assert.equal(inside?.trace_id, undefined)
    assert.deepEqual(spans, [])
  })

  it('load nothing of OpenTelemetry without an endpoint', async () => {
    const { modules, inside } = await run({})

    assert.equal(modules?.loaded, false)
    assert.equal(inside?.trace_id, undefined)
  })

  it('are refused at the start with the name of a variable that is wrong', async () => {
    await assert.rejects(run({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }), {
      message: /OTEL_EXPORTER_OTLP_ENDPOINT/,
    })
    await assert.rejects(run({ OTEL_TRACES_SAMPLER_ARG: '10' }), {
      message: /OTEL_TRACES_SAMPLER_ARG/,
    })
  })
})
