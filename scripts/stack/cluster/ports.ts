import { replicaPort } from '../replicas.ts'

/** The ports of the engines that a cluster has more than one of, as a single one has them. */
type EnginePorts = Record<'kafka' | 'kafkaController' | 'postgres' | 'temporal', number>

const brokers = [1, 2, 3]
/** An engine with a proxy in front listens on these, and its proxy on the first. */
const nodes = [2, 3]

/** Of the nodes of an engine whose own port is that of the proxy in front of them. */
function nodePorts(port: number): number[] {
  return nodes.map((node) => replicaPort(port, node))
}

/** Of the brokers, for clients and among themselves. */
export function brokerPorts({
  kafka,
  kafkaController,
}: Pick<EnginePorts, 'kafka' | 'kafkaController'>): { client: number; controller: number }[] {
  return brokers.map((broker) => ({
    client: replicaPort(kafka, broker),
    controller: replicaPort(kafkaController, broker),
  }))
}

/** Of the two PostgreSQL servers, which the pooler is in front of. */
export function serverPorts({ postgres }: Pick<EnginePorts, 'postgres'>): number[] {
  return nodePorts(postgres)
}

export const temporalServices = ['frontend', 'history', 'matching', 'worker'] as const
export type TemporalPorts = Record<
  (typeof temporalServices)[number],
  { grpc: number; membership: number }
>

/** Of the two Temporal processes: each of the four parts of a server has one for calls and one for membership. */
export function temporalPorts({ temporal }: Pick<EnginePorts, 'temporal'>): TemporalPorts[] {
  return nodePorts(temporal).map((first) => {
    const entries = temporalServices.map((service, index) => [
      service,
      { grpc: first + 2 * index, membership: first + 2 * index + 1 },
    ])
    return Object.fromEntries(entries) as TemporalPorts
  })
}

/** The ports that a cluster uses beside that of the name itself. */
export function clusterPortNumbers(ports: EnginePorts, name: string): number[] {
  switch (name) {
    case 'kafka':
      return brokerPorts(ports)
        .slice(1)
        .map(({ client }) => client)
    case 'kafkaController':
      return brokerPorts(ports)
        .slice(1)
        .map(({ controller }) => controller)
    case 'postgres':
      return serverPorts(ports)
    case 'temporal':
      return temporalPorts(ports).flatMap((parts) =>
        Object.values(parts).flatMap(({ grpc, membership }) => [grpc, membership]),
      )
    default:
      return []
  }
}
