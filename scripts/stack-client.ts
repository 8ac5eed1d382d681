import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Database } from '../prisma/databases.ts'
import { type Ports, redisPorts } from './ports.ts'
import type { Replicas } from './replicas.ts'
import { loadSecrets, type Secrets } from './secrets.ts'

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

/** Where a stack is and what opens it. */
export type StackInfo = {
  dataDir: string
  ports: Ports
  urls: StackUrls
  secrets: Secrets
  replicas?: Replicas
  /** Of the topics that it creates. */
  partitions?: number
}

/** A running stack, started by this process or by another one. */
export type Stack = StackInfo & {
  status(): Promise<StackStatus>
  /** Starts again at once what is down, and waits until everything is ready. */
  ensure(): Promise<void>
  stop(): Promise<void>
  /** Sends a signal. The launcher starts a process that dies of it again. */
  signal(name: string, signal: NodeJS.Signals): Promise<void>
  /** Stops one process, which then stays down until startProcess or ensure. */
  stopProcess(name: string): Promise<void>
  startProcess(name: string): Promise<void>
}

export type StackFile = {
  pid: number
  startedAt: string
  control: { port: number; token: string }
  ports: Ports
  replicas?: Replicas
}

export type StackUrls = ReturnType<typeof stackUrls>

/** The addresses of a stack's doors. `api` is the shop; the rest is for operators and tests. */
export function stackUrls(ports: Ports) {
  const host = '127.0.0.1'
  return {
    api: `http://${host}:${ports.web}`,
    dashboard: `http://${host}:${ports.dashboard}/dashboard/`,
    grpc: `${host}:${ports.grpc}`,
    minio: `http://${host}:${ports.minio}`,
    minioConsole: `http://${host}:${ports.minioConsole}`,
    mail: `http://${host}:${ports.mailUi}`,
    smtp: `smtp://${host}:${ports.smtp}`,
    temporal: `${host}:${ports.temporal}`,
    temporalUi: `http://${host}:${ports.temporalUi}`,
    kafkaBrokers: [`${host}:${ports.kafka}`],
    redisNodes: redisPorts(ports).map((port) => `${host}:${port}`),
  }
}

/** The address of a service's database, as its own role, or as the superuser. */
export function databaseUrl(
  stack: Pick<StackInfo, 'ports' | 'secrets'>,
  database: Database,
  role: Database | 'postgres' = database,
): string {
  const password = stack.secrets.postgres[role]
  return `postgresql://${role}:${password}@127.0.0.1:${stack.ports.postgres}/${database}_db`
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
    urls: stackUrls(file.ports),
    secrets: await loadSecrets(dataDir),
    ...(file.replicas && { replicas: file.replicas }),
    status: () => call('GET', '/status'),
    ensure: () => call('POST', '/ensure'),
    stop: () => call('POST', '/stop'),
    signal: (name, signal) => call('POST', `/processes/${name}/signal`, { signal }),
    stopProcess: (name) => call('POST', `/processes/${name}/stop`),
    startProcess: (name) => call('POST', `/processes/${name}/start`),
  }
  await stack.status()
  return stack
}
