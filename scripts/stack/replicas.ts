import { type ServiceName, serviceNames } from './services.ts'

/** How many processes of a service a stack runs; one of those that are not named. */
export type Replicas = Partial<Record<ServiceName, number>>

const most = 5
/** The distance of replicas' ports, which avoids the ports of other stacks (see freeOffset). */
const portDistance = 200

/** Reads `product=2,order=3`. Throws with what is wrong. */
export function parseReplicas(text: string): Replicas {
  const pairs = text.split(',').filter(Boolean)
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name = '', count] = pair.split('=')
      if (!serviceNames.includes(name as ServiceName)) {
        throw new Error(`STACK_REPLICAS: no service is called ${name}`)
      }
      const replicas = Number(count)
      if (!Number.isInteger(replicas) || replicas < 1 || replicas > most) {
        throw new Error(`STACK_REPLICAS: ${name} needs 1 to ${most}, such as ${name}=2`)
      }
      return [name, replicas]
    }),
  )
}

/** The numbers of a service's replicas: 1 is the one that every stack has. */
export function replicaNumbers(replicas: Replicas | undefined, service: ServiceName): number[] {
  return Array.from({ length: replicas?.[service] ?? 1 }, (_, index) => index + 1)
}

/** A process's name: that of its service or engine for the first, `order-2` for the second. */
export function replicaName(service: string, replica: number): string {
  return replica === 1 ? service : `${service}-${replica}`
}

/** The port of a replica where the first one has `port`. */
export function replicaPort(port: number, replica: number): number {
  return port + (replica - 1) * portDistance
}
