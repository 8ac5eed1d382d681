import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Database } from '../../prisma/databases.ts'
import { brokerPorts } from './cluster/ports.ts'
import { type Ports, redisPorts } from './ports.ts'
import type { StackProfile } from './profile.ts'
import type { Replicas } from './replicas.ts'
import { loadSecrets, type Secrets } from './secrets.ts'
import type { ServiceName } from './services.ts'

export type ProcessState = 'starting' | 'ready' | 'restarting' | 'stopping' | 'stopped'

export type ProcessStatus = {
  name: string
  kind: 'engine' | 'service'
  state: ProcessState
  pid: number | null
  ports: number[]
  uptimeSeconds: number
  restarts: number
  rssMb: number
}

export type StackStatus = {
  state: 'starting' | 'ready' | 'stopping'
  /** The launcher itself. */
  pid: number
  rssMb: number
  startedAt: string
  processes: ProcessStatus[]
}

/** The address of a stack's launcher and its token. */
export type StackInfo = {
  dataDir: string
  ports: Ports
  urls: StackUrls
  secrets: Secrets
  /** `single` without it. */
  profile?: StackProfile
  replicas?: Replicas
  /** Of the topics that it creates. */
  partitions?: number
  /** Where its processes send spans, by OTLP over HTTP, and the share of traces that are kept. */
  otlp?: { endpoint: string; share: string }
}

/** A running stack, started by this process or by another one. */
export type Stack = StackInfo & {
  status(): Promise<StackStatus>
  /** Restarts every process that is down, and waits until everything is ready. */
  ensure(): Promise<void>
  stop(): Promise<void>
  /** Sends a signal. If the process ends, the launcher restarts it. */
  signal(name: string, signal: NodeJS.Signals): Promise<void>
  /** Stops one process, which then stays down until startProcess or ensure. */
  stopProcess(name: string): Promise<void>
  startProcess(name: string): Promise<void>
  /** Replaces the variables that a service is given beside the usual ones, from its next start on. */
  configureService(name: ServiceName, extra: Record<string, string>): Promise<void>
  /** Reads `secrets.json` again: each process is given what it says from its next start on. */
  reloadSecrets(): Promise<void>
  /** Of a cluster: makes the standby the primary. Refuses if it may lack something that was acknowledged. */
  promote(): Promise<void>
}

export type StackFile = {
  pid: number
  startedAt: string
  control: { port: number; token: string }
  ports: Ports
  profile?: StackProfile
  replicas?: Replicas
}

export type StackUrls = ReturnType<typeof stackUrls>

/** The URLs of a stack. `api` is the shop, `operators` the console; the rest is for operators and tests. */
export function stackUrls(ports: Ports, profile?: StackProfile) {
  const host = '127.0.0.1'
  const brokers =
    profile === 'cluster' ? brokerPorts(ports).map(({ client }) => client) : [ports.kafka]
  return {
    api: `http://${host}:${ports.web}`,
    operators: `http://${host}:${ports.operators}`,
    dashboard: `http://${host}:${ports.dashboard}/dashboard/`,
    grpc: `${host}:${ports.grpc}`,
    cdn: `http://${host}:${ports.cdn}`,
    minio: `http://${host}:${ports.minio}`,
    minioConsole: `http://${host}:${ports.minioConsole}`,
    mail: `http://${host}:${ports.mailUi}`,
    smtp: `smtp://${host}:${ports.smtp}`,
    provider: `http://${host}:${ports.provider}`,
    temporal: `${host}:${ports.temporal}`,
    temporalUi: `http://${host}:${ports.temporalUi}`,
    kafkaBrokers: brokers.map((port) => `${host}:${port}`),
    redisNodes: redisPorts(ports).map((port) => `${host}:${port}`),
  }
}

/** What the pooler of a cluster adds to the name of a database whose connections belong to one client. */
export const sessionSuffix = '_session'

/** The address of a service's database, as its own role, or as the superuser. */
export function databaseUrl(
  stack: Pick<StackInfo, 'ports' | 'secrets'>,
  database: Database,
  role: Database | 'postgres' = database,
): string {
  const password = stack.secrets.postgres[role]
  return `postgresql://${role}:${password}@127.0.0.1:${stack.ports.postgres}/${database}_db`
}

/**
 * The address for what needs a session of its own, such as a migration with its lock: in a cluster, where the pooler
 * otherwise gives a connection for a transaction only.
 */
export function sessionUrl(
  stack: Pick<StackInfo, 'ports' | 'secrets' | 'profile'>,
  database: Database,
): string {
  const url = databaseUrl(stack, database)
  return stack.profile === 'cluster' ? `${url}${sessionSuffix}` : url
}

export class StackNotRunningError extends Error {
  override name = 'StackNotRunningError'
}

/** Finds the stack that runs in a data folder. Throws StackNotRunningError. */
export async function connectStack(folder: string): Promise<Stack> {
  const dataDir = resolve(folder)
  const down = () => new StackNotRunningError(`no stack runs in ${dataDir} (npm run up)`)
  const text = await readFile(join(dataDir, 'stack.json'), 'utf8').catch(() => undefined)
  if (!text) throw down()
  const file: StackFile = JSON.parse(text)

  async function call<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${file.control.port}${path}`, {
      method,
      headers: { authorization: `Bearer ${file.control.token}` },
      body: body === undefined ? undefined : JSON.stringify(body),
    }).catch((error) => {
      throw error.cause?.code === 'ECONNREFUSED' ? down() : error
    })
    if (response.status === 401) throw down()
    const answer = (await response.json()) as T & { error?: string }
    if (!response.ok) throw new Error(answer.error)
    return answer
  }

  const stack: Stack = {
    dataDir,
    ports: file.ports,
    urls: stackUrls(file.ports, file.profile),
    secrets: await loadSecrets(dataDir),
    ...(file.profile && { profile: file.profile }),
    ...(file.replicas && { replicas: file.replicas }),
    status: () => call('GET', '/status'),
    ensure: () => call('POST', '/ensure'),
    stop: () => call('POST', '/stop'),
    signal: (name, signal) => call('POST', `/processes/${name}/signal`, { signal }),
    stopProcess: (name) => call('POST', `/processes/${name}/stop`),
    startProcess: (name) => call('POST', `/processes/${name}/start`),
    configureService: (name, extra) => call('POST', `/processes/${name}/env`, extra),
    async reloadSecrets() {
      await call('POST', '/secrets')
      stack.secrets = await loadSecrets(dataDir)
    },
    promote: () => call('POST', '/promote'),
  }
  await stack.status()
  return stack
}
