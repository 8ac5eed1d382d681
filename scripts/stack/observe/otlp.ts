import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import protobuf from 'protobufjs'

/** A span as OTLP carries it. Times are in microseconds since 1970; ids in hex, and `parentId` of a root is empty. */
export type ReceivedSpan = {
  traceId: string
  spanId: string
  parentId: string
  name: string
  kind: 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER'
  service: string
  startedAt: number
  endedAt: number
  attributes: Record<string, string>
  /** Spans of other traces that caused it. */
  links: { traceId: string; spanId: string }[]
  error: string | null
}

/** The part of opentelemetry-proto that a span with its resource needs; protobuf skips the rest. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1;
    bytes span_id = 2;
    bytes parent_span_id = 4;
    string name = 5;
    int32 kind = 6;
    fixed64 start_time_unix_nano = 7;
    fixed64 end_time_unix_nano = 8;
    repeated KeyValue attributes = 9;
    repeated Link links = 13;
    Status status = 15;
  }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue {
    oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; }
  }`)
const Request = root.lookupType('Request')

type KeyValue = { key: string; value?: Record<string, string | number | boolean> }
type Decoded = {
  resourceSpans: {
    resource?: { attributes: KeyValue[] }
    scopeSpans: {
      spans: {
        traceId: Uint8Array
        spanId: Uint8Array
        parentSpanId: Uint8Array
        name: string
        kind: number
        startTimeUnixNano: string
        endTimeUnixNano: string
        attributes: KeyValue[]
        links: { traceId: Uint8Array; spanId: Uint8Array }[]
        status?: { code: number; message: string } | null
      }[]
    }[]
  }[]
}

const kinds = ['INTERNAL', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const
const errorCode = 2
const maxBodyBytes = 16 * 1_048_576

function valuesOf(pairs: KeyValue[] = []): Record<string, string> {
  return Object.fromEntries(
    pairs.map(({ key, value = {} }) => [key, String(Object.values(value)[0] ?? '')]),
  )
}

/** The spans of a request by OTLP over HTTP, in protobuf. */
function decodeSpans(body: Uint8Array): ReceivedSpan[] {
  const options = { longs: String, arrays: true, defaults: true, oneofs: false }
  const { resourceSpans } = Request.toObject(Request.decode(body), options) as Decoded
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  const micros = (nanos: string) => Number(BigInt(nanos) / 1_000n)
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = valuesOf(resource?.attributes)['service.name'] ?? 'unknown'
    return scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentId: hex(span.parentSpanId),
        name: span.name,
        kind: kinds[span.kind] ?? 'INTERNAL',
        service,
        startedAt: micros(span.startTimeUnixNano),
        endedAt: micros(span.endTimeUnixNano),
        attributes: valuesOf(span.attributes),
        links: span.links.map(({ traceId, spanId }) => ({
          traceId: hex(traceId),
          spanId: hex(spanId),
        })),
        error: span.status?.code === errorCode ? span.status.message : null,
      })),
    )
  })
}

/** Receives spans by OTLP over HTTP. Port 0 takes a free one. */
export async function receiveSpans(port: number, take: (spans: ReceivedSpan[]) => Promise<void>) {
  const server = createServer(async (request, response) => {
    if (request.url === '/health') return void response.end('ready')
    try {
      if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) throw new Error('too long')
      const sent = await buffer(request)
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent
      await take(decodeSpans(body))
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    } catch (error) {
      response.writeHead(400, { 'content-type': 'text/plain' }).end(String(error))
    }
  })
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(port, '127.0.0.1', done)
  })
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close(): Promise<void> {
      const closed = new Promise((done) => server.close(done))
      server.closeAllConnections()
      await closed
    },
  }
}
