import type { StackInfo } from '../scripts/stack/client.ts'
import { replicaName, replicaNumbers, replicaPort } from '../scripts/stack/replicas.ts'
import type { ServiceName } from '../scripts/stack/services.ts'

/** What one replica has answered and handled since it started. */
export type ReplicaLoad = { name: string; grpcCalls: number; commands: number }

/** Adds up the samples of a counter in Prometheus' text whose labels contain all of `labels`. */
export function sumOf(
  metrics: string,
  counter: string,
  labels: Record<string, string> = {},
): number {
  const wanted = Object.entries(labels).map(([name, value]) => `${name}="${value}"`)
  const samples = metrics.matchAll(new RegExp(`^${counter}(?:{([^}]*)})? (\\S+)$`, 'gm'))
  return [...samples]
    .filter(([, found = '']) => wanted.every((label) => found.split(',').includes(label)))
    .reduce((sum, [, , value]) => sum + Number(value), 0)
}

/** Reads the counters of every replica of a service. */
export function readReplicaLoads(
  { ports, replicas }: Pick<StackInfo, 'ports' | 'replicas'>,
  service: ServiceName,
): Promise<ReplicaLoad[]> {
  return Promise.all(
    replicaNumbers(replicas, service).map(async (replica) => {
      const port = replicaPort(ports[service], replica)
      const response = await fetch(`http://127.0.0.1:${port}/metrics`)
      const metrics = await response.text()
      const handled = { topic: `${service}-commands`, outcome: 'handled' }
      return {
        name: replicaName(service, replica),
        grpcCalls: sumOf(metrics, 'grpc_server_duration_seconds_count'),
        commands: sumOf(metrics, 'kafka_messages_total', handled),
      }
    }),
  )
}

/** The largest deviation from the mean, as a fraction of it: 0.1 is 10 %. */
export function unevenness(counts: number[]): number {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return mean === 0 ? 0 : Math.max(...counts.map((count) => Math.abs(count - mean))) / mean
}
