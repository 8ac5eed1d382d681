import { type ReceivedSpan, receiveSpans } from './otlp.ts'

/*
 * Zipkin's own server reads no OTLP, which is all that Traefik writes: this process stands between them. It is part of
 * the native stack only; docker-compose has a collector.
 */

const { OTLP_PORT, ZIPKIN_URL } = process.env

/** Zipkin v2 JSON. Zipkin knows no kind for work inside a process, and no links: they become a tag. */
function toZipkin(span: ReceivedSpan) {
  const linked = span.links.map(({ traceId }) => traceId).join(' ')
  return {
    traceId: span.traceId,
    id: span.spanId,
    ...(span.parentId && { parentId: span.parentId }),
    name: span.name,
    ...(span.kind !== 'INTERNAL' && { kind: span.kind }),
    timestamp: span.startedAt,
    duration: Math.max(span.endedAt - span.startedAt, 1),
    localEndpoint: { serviceName: span.service },
    tags: {
      ...span.attributes,
      ...(linked && { linked_trace_id: linked }),
      ...(span.error !== null && { error: span.error || 'failed' }),
    },
  }
}

const receiver = await receiveSpans(Number(OTLP_PORT), async (spans) => {
  const response = await fetch(`${ZIPKIN_URL}/api/v2/spans`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(spans.map(toZipkin)),
    signal: AbortSignal.timeout(5_000),
  })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`zipkin answers ${response.status}`)
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void receiver.close())
}
