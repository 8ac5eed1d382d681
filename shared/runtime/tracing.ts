type SpanOptions = {
  kind?: 'internal' | 'client' | 'consumer'
  /** The W3C `traceparent` of what caused it, empty if it has none. Without `parent`, the span that is running here. */
  parent?: string | undefined
  /** Whether the span begins a trace of its own that links to `parent`, which is long over. */
  isLate?: boolean
  attributes?: Record<string, string | number | undefined>
}

/** What the code of the shop does with traces. `shared/telemetry/` is the one implementation. */
export type Tracing = {
  /** Does work in a span, which ends with it and notes its error. Without one if the trace is not kept. */
  span<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T>
  /** Names the span that is running, which an instrumentation began. */
  name(name: string): void
  /** The W3C `traceparent` of the span that is running; undefined without one, as if the trace is not kept. */
  current(): string | undefined
  /** Does work as a part of what another process began. */
  within<T>(traceparent: string, work: () => T): T
  /** Does work that belongs to no span, although one is running: it serves others, too. */
  outside<T>(work: () => T): T
  /** For log lines; undefined without a span. */
  ids(): { trace_id: string; span_id: string } | undefined
  close(): Promise<void>
}

let installed: Tracing | undefined

/** Once, before anything else of the process is loaded. */
export function installTracing(tracing: Tracing): void {
  installed = tracing
}

/** Undefined when the process makes no traces, which is the default: then nothing of them is loaded. */
export function tracing(): Tracing | undefined {
  return installed
}

/** Does work that serves more than the request or message that causes it now. */
export function outsideTrace<T>(work: () => T): T {
  return installed ? installed.outside(work) : work()
}
