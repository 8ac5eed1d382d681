import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type Metrics = ReturnType<typeof createMetrics>

/** One registry per process, with the measures that every service has. */
export function createMetrics(service: string) {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  // Its default of 10 ms wakes an idle process a hundred times a second.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 })
  const registers = [registry]
  return {
    registry,
    httpSeconds: new Histogram({
      name: 'http_request_seconds',
      help: 'Time from the request to the end of its answer',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    grpcCalls: new Counter({
      name: 'grpc_calls_total',
      help: 'gRPC calls answered, by method and whether that was an error',
      labelNames: ['method', 'outcome'],
      registers,
    }),
    httpShed: new Counter({
      name: 'http_requests_shed_total',
      help: 'Requests that were answered 503 at once, because as many were under way as may be',
      registers,
    }),
    messages: new Counter({
      name: 'kafka_messages_total',
      help: 'Messages handled, by topic and how that ended',
      labelNames: ['topic', 'outcome'],
      registers,
    }),
    inFlight: new Gauge({
      name: 'kafka_messages_in_flight',
      help: 'Messages fetched and not yet finished',
      labelNames: ['topic'],
      registers,
    }),
  }
}
