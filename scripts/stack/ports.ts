import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { clusterPortNumbers } from './cluster/ports.ts'
import { type Lock, tryLock } from './lock.ts'
import type { StackProfile } from './profile.ts'

/** Every port of the stack: its default, and the variable that sets it whatever the offset is. */
const table = {
  web: [80, 'TRAEFIK_WEB_PORT'],
  dashboard: [8080, 'TRAEFIK_DASHBOARD_PORT'],
  operators: [8082, 'TRAEFIK_OPERATORS_PORT'],
  grpc: [9090, 'TRAEFIK_GRPC_PORT'],
  cdn: [9000, 'CDN_PORT'],
  minio: [9003, 'MINIO_PORT'],
  minioConsole: [9001, 'MINIO_CONSOLE_PORT'],
  mailUi: [8025, 'MAIL_UI_PORT'],
  smtp: [1025, 'SMTP_PORT'],
  temporal: [7233, 'TEMPORAL_PORT'],
  temporalUi: [8233, 'TEMPORAL_UI_PORT'],
  kafka: [9092, 'KAFKA_PORT'],
  kafkaController: [9093, 'KAFKA_CONTROLLER_PORT'],
  postgres: [5432, 'POSTGRES_PORT'],
  redis: [7000, 'REDIS_PORT'],
  provider: [12_111, 'PROVIDER_PORT'],
  account: [3001, 'ACCOUNT_PORT'],
  product: [3002, 'PRODUCT_PORT'],
  order: [3003, 'ORDER_PORT'],
  payment: [3004, 'PAYMENT_PORT'],
  purchase: [3005, 'PURCHASE_PORT'],
  orchestrator: [3006, 'ORCHESTRATOR_PORT'],
  media: [3007, 'MEDIA_PORT'],
  mail: [3008, 'MAIL_PORT'],
  lab: [8083, 'LAB_PORT'],
  accountGrpc: [4001, 'ACCOUNT_GRPC_PORT'],
  productGrpc: [4002, 'PRODUCT_GRPC_PORT'],
  orderGrpc: [4003, 'ORDER_GRPC_PORT'],
  paymentGrpc: [4004, 'PAYMENT_GRPC_PORT'],
  purchaseGrpc: [4005, 'PURCHASE_GRPC_PORT'],
  orchestratorGrpc: [4006, 'ORCHESTRATOR_GRPC_PORT'],
  mediaGrpc: [4007, 'MEDIA_GRPC_PORT'],
} as const satisfies Record<string, [number, string]>

export type PortName = keyof typeof table
export type Ports = Record<PortName, number>

const names = Object.keys(table) as PortName[]
const redisNodes = 6
const redisBusDistance = 10_000

/** Redis has six nodes on consecutive ports, each with a bus port 10000 above. */
export function redisPorts(ports: Ports): number[] {
  return Array.from({ length: redisNodes }, (_, index) => ports.redis + index)
}

/** The port numbers of a name. */
export function portNumbers(ports: Ports, name: PortName, profile?: StackProfile): number[] {
  if (profile === 'cluster' && name !== 'redis') {
    return [ports[name], ...clusterPortNumbers(ports, name)]
  }
  if (name !== 'redis') return [ports[name]]
  return redisPorts(ports).flatMap((port) => [port, port + redisBusDistance])
}

export function resolvePorts(offset: number, env: Record<string, string | undefined>): Ports {
  const entries = names.map((name) => {
    const [port, variable] = table[name]
    const value = Number(env[variable] || port + offset)
    if (!Number.isInteger(value) || value < 1 || value > 65_535) {
      throw new Error(`${variable} or STACK_PORT_OFFSET gives no port: ${env[variable] ?? offset}`)
    }
    return [name, value]
  })
  return Object.fromEntries(entries) as Ports
}

function bindError(port: number): Promise<string | undefined> {
  const server = createServer()
  return new Promise((done) => {
    server.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'ERROR'))
    server.listen(port, '127.0.0.1', () => server.close(() => done(undefined)))
  })
}

const given = new Set<number>()

/** A port of 127.0.0.1 that nothing uses now, another one each time, for a server that must be told one. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    if (given.has(port)) continue
    given.add(port)
    return port
  }
}

/** Names the ports that are taken, each with its variable. */
export async function takenPorts(ports: Ports, profile?: StackProfile): Promise<string[]> {
  const taken: string[] = []
  for (const name of names) {
    for (const port of portNumbers(ports, name, profile)) {
      const code = await bindError(port)
      if (!code) continue
      const why = code === 'EACCES' ? 'may not be used by this user' : 'is in use'
      taken.push(
        `port ${port} (${name}) ${why}: set ${table[name][1]}, or STACK_PORT_OFFSET to move all`,
      )
    }
  }
  return taken
}

/** Port 80 is reserved for root on many machines: then 8000, unless the port was set by its variable. */
export async function withAllowedWebPort(
  ports: Ports,
  offset: number,
  env: Record<string, string | undefined>,
): Promise<Ports> {
  const denied = !env[table.web[1]] && (await bindError(ports.web)) === 'EACCES'
  return denied ? { ...ports, web: 8000 + offset } : ports
}

/**
 * An offset at which every port is free, and a lock that keeps it for this process. No two of the 25 tried share a
 * port, none meets the defaults, and all stay below the range of outgoing connections.
 */
export async function freeOffset(profile?: StackProfile): Promise<{ offset: number; lock: Lock }> {
  for (let offset = 10_006; offset <= 10_198; offset += 8) {
    // An absolute name, so that every checkout on the machine means the same lock.
    const lock = await tryLock(`/ports/${offset}`)
    if (!lock) continue
    const taken = await takenPorts(resolvePorts(offset, {}), profile)
    if (taken.length === 0) return { offset, lock }
    lock.release()
  }
  throw new Error('no free block of ports between 10006 and 27203')
}
