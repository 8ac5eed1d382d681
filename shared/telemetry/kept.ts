import type { IncomingMessage } from 'node:http'
import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  SpanKind,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  type SamplingResult,
} from '@opentelemetry/sdk-trace-node'

/*
 * Whether a trace is kept is decided once, where it begins. A request whose trace is not kept runs as without traces:
 * it has no context, so that no instrumentation works for it, and what it calls and sends carries no `traceparent`.
 */

const sampledHeader = /^00-[0-9a-f]{32}-[0-9a-f]{16}-(?<flags>[0-9a-f]{2})$/

/** Whether the trace of a request is kept: who sent it decides, or chance if no trace came with it. */
export function createKeeps(share: number): (request: IncomingMessage) => boolean {
  return ({ headers }) => {
    const flags = sampledHeader.exec(String(headers.traceparent ?? ''))?.groups?.flags
    if (flags === undefined) return Math.random() < share
    return (Number.parseInt(flags, 16) & TraceFlags.SAMPLED) !== 0
  }
}

/** The span that runs in a context, if its trace is kept. */
export function keptSpan(context: Context) {
  const span = trace.getSpan(context)
  return span && (span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0 ? span : undefined
}

/** Begins a trace for a request that {@link createKeeps} keeps, and for a late message of a trace that is kept. */
class Beginnings implements Sampler {
  shouldSample(
    _: Context,
    _traceId: string,
    _name: string,
    kind: SpanKind,
    attributes: Attributes,
    links: Link[],
  ): SamplingResult {
    const isHttp = 'http.method' in attributes || 'http.request.method' in attributes
    const begins = links.length > 0 || (kind === SpanKind.SERVER && isHttp)
    return {
      decision: begins ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD,
    }
  }

  toString(): string {
    return 'Beginnings'
  }
}

export const sampler: Sampler = new ParentBasedSampler({ root: new Beginnings() })

/** Does work that belongs to no trace that is kept without any context, and binds nothing to it. */
export class KeptContexts extends AsyncLocalStorageContextManager {
  override with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    work: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return super.with(keptSpan(context) ? context : ROOT_CONTEXT, work, self, ...args)
  }

  override bind<T>(context: Context, target: T): T {
    return keptSpan(context) ? super.bind(context, target) : target
  }
}
