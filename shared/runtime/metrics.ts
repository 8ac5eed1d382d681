import { readFileSync } from 'node:fs'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { readPools } from './pools.ts'

export type Metrics = ReturnType<typeof createMetrics>

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
)

/** For requests and calls, which end in milliseconds or at a deadline of seconds. */
export const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** For what a purchase goes through: from one fast step to an undo that waits for an operator. */
export const sagaBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800]

/** One registry per process, with the metrics of every service. */
export function createMetrics(service: string) {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  // Its default of 10 ms wakes an idle process a hundred times a second.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 })
  const registers = [registry]
  showProcess(registry)
  return {
    registry,
    httpSeconds: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from the request to the end of its answer',
      labelNames: ['method', 'route', 'status'],
      buckets: requestBuckets,
      registers,
    }),
    grpcServerSeconds: new Histogram({
      name: 'grpc_server_duration_seconds',
      help: 'Time to answer a gRPC call, by method and status code',
      labelNames: ['method', 'code'],
      buckets: requestBuckets,
      registers,
    }),
    grpcClientSeconds: new Histogram({
      name: 'grpc_client_duration_seconds',
      help: 'Time until a gRPC call of another service has its answer, with its retries, by status code; circuit_open: it was not asked',
      labelNames: ['target', 'method', 'code'],
      buckets: requestBuckets,
      registers,
    }),
    httpShed: new Counter({
      name: 'http_requests_shed_total',
      help: 'Requests that were refused to protect the others, by the limit that they met',
      labelNames: ['limit'],
      registers,
    }),
    messages: new Counter({
      name: 'kafka_messages_total',
      help: 'Messages handled, by topic and how that ended',
      labelNames: ['topic', 'outcome'],
      registers,
    }),
    messageSeconds: new Histogram({
      name: 'kafka_message_duration_seconds',
      help: 'Time from the first attempt to handle a message to its end, by topic',
      labelNames: ['topic'],
      buckets: requestBuckets,
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

/** What runs here, and how full its pools are. */
function showProcess(registry: Registry): void {
  const registers = [registry]
  new Gauge({
    name: 'shop_build_info',
    help: 'Always 1: the version of the shop and of Node that this process runs',
    labelNames: ['version', 'node_version'],
    registers,
  }).set({ version, node_version: process.version }, 1)
  new Gauge({
    name: 'pool_limit',
    help: 'The number of places that a pool has at most',
    labelNames: ['pool'],
    registers,
    collect() {
      this.reset()
      for (const [pool, { limit }] of readPools()) this.set({ pool }, limit)
    },
  })
  new Gauge({
    name: 'pool_uses',
    help: 'Places of a pool by state: open, busy, and uses that are waiting for a place',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      this.reset()
      for (const [pool, { open, busy, waiting }] of readPools()) {
        this.set({ pool, state: 'open' }, open)
        this.set({ pool, state: 'busy' }, busy)
        this.set({ pool, state: 'waiting' }, waiting)
      }
    },
  })
}
