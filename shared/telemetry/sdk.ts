import { createRequire, syncBuiltinESMExports } from 'node:module'
import {
  type Context,
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { GrpcInstrumentation } from '@opentelemetry/instrumentation-grpc'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis'
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg'
import { Resource } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import type { Tracing } from '../runtime/tracing.ts'
import type { TelemetryConfig } from './config.ts'
import { createKeeps, KeptContexts, keptSpan, sampler } from './kept.ts'

/** What is asked every few seconds and belongs to no purchase. */
const ignored = /^\/(health|metrics|problems)(\/|$)/
/** Spans that wait for the collector; more are dropped, and the shop does not wait. */
const maxWaiting = 4_096
const exportDeadlineMs = 5_000

const kinds = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
}

/** Instruments this process and sends its spans to the endpoint. */
export function startTracing(service: string, config: TelemetryConfig): Tracing {
  const url = `${config.OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/$/, '')}/v1/traces`
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: exportDeadlineMs })
  const provider = new NodeTracerProvider({
    resource: new Resource({ 'service.name': service, 'process.pid': process.pid }),
    sampler,
    spanProcessors: [
      new BatchSpanProcessor(exporter, {
        maxQueueSize: maxWaiting,
        scheduledDelayMillis: 1_000,
        exportTimeoutMillis: exportDeadlineMs,
      }),
    ],
  })
  provider.register({
    propagator: new W3CTraceContextPropagator(),
    contextManager: new KeptContexts(),
  })
  instrument(createKeeps(config.OTEL_TRACES_SAMPLER_ARG))
  const tracer = trace.getTracer('shop')

  const contextOf = (traceparent: string): Context =>
    propagation.extract(ROOT_CONTEXT, { traceparent })

  return {
    async span(name, { kind = 'internal', parent, isLate = false, attributes = {} }, work) {
      const cause = parent === undefined ? context.active() : contextOf(parent)
      if (!keptSpan(cause)) return context.with(ROOT_CONTEXT, work)
      const linked = isLate ? trace.getSpanContext(cause) : undefined
      const span = tracer.startSpan(
        name,
        {
          kind: kinds[kind],
          attributes,
          root: isLate,
          ...(linked && { links: [{ context: linked }] }),
        },
        cause,
      )
      try {
        return await context.with(trace.setSpan(cause, span), work)
      } catch (error) {
        const { name: type, message } = error as Error
        span.setStatus({ code: SpanStatusCode.ERROR, message: `${type}: ${message}` })
        throw error
      } finally {
        span.end()
      }
    },
    name: (name) => void trace.getActiveSpan()?.updateName(name),
    current() {
      if (!keptSpan(context.active())) return undefined
      const carrier: { traceparent?: string } = {}
      propagation.inject(context.active(), carrier)
      return carrier.traceparent
    },
    within: (traceparent, work) => context.with(contextOf(traceparent), work),
    outside: (work) => context.with(ROOT_CONTEXT, work),
    ids() {
      const running = trace.getSpanContext(context.active())
      if (!running || !isSpanContextValid(running)) return undefined
      return { trace_id: running.traceId, span_id: running.spanId }
    },
    // Spans that no collector takes are lost; the process ends all the same.
    close: () => provider.shutdown().catch(() => undefined),
  }
}

/**
 * Patches the libraries, which are CommonJS: loaded here once, they are the same objects for every later import. So no
 * loader hooks are needed, which would also read every source file of the shop.
 */
function instrument(keeps: ReturnType<typeof createKeeps>): void {
  registerInstrumentations({
    instrumentations: [
      new HttpInstrumentation({
        ignoreIncomingRequestHook: (request) => ignored.test(request.url ?? '') || !keeps(request),
        ignoreOutgoingRequestHook: () => !keptSpan(context.active()),
      }),
      new GrpcInstrumentation(),
      new PgInstrumentation({ requireParentSpan: true }),
      new IORedisInstrumentation({ requireParentSpan: true }),
    ],
  })
  const require = createRequire(import.meta.url)
  for (const library of ['http', 'https', '@grpc/grpc-js', 'pg', 'ioredis']) require(library)
  syncBuiltinESMExports()
}
