import { randomBytes } from 'node:crypto'
import { mkdir, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { migrateAll } from '../prisma/migrate.ts'
import { compileServices, nodeEnv, nodeFlags } from './compiled.ts'
import { serveControl } from './control.ts'
import type { Engine, Log, ProcessSpec } from './engine.ts'
import * as kafka from './engines/kafka.ts'
import * as maildev from './engines/maildev.ts'
import * as minio from './engines/minio.ts'
import * as postgres from './engines/postgres.ts'
import * as redis from './engines/redis.ts'
import * as temporal from './engines/temporal.ts'
import * as traefik from './engines/traefik.ts'
import { type Lock, tryLock } from './lock.ts'
import { freeOffset, type Ports, resolvePorts, takenPorts, withAllowedWebPort } from './ports.ts'
import { probeHttp } from './probe.ts'
import { type Replicas, replicaName, replicaNumbers, replicaPort } from './replicas.ts'
import { loadSecrets } from './secrets.ts'
import { enginesOf, type ServiceName, serviceEnv, serviceNames } from './service-env.ts'
import {
  databaseUrl,
  type Stack,
  type StackFile,
  type StackInfo,
  type StackStatus,
  stackUrls,
} from './stack-client.ts'
import { createSupervisor } from './supervisor.ts'
import { waitFor } from './wait-for.ts'

const checkout = join(import.meta.dirname, '..')
// The slow starters first.
const engines = { kafka, temporal, postgres, redis, minio, traefik, maildev } satisfies Record<
  string,
  Engine
>
type EngineName = keyof typeof engines
const engineNames = Object.keys(engines) as EngineName[]

export type StackOptions = {
  dataDir: string
  /** Added to every port; 'free' looks for one at which all are free. */
  portOffset?: number | 'free'
  /** All eight (the default), none, or some. */
  services?: boolean | ServiceName[]
  /** More than one process of some services. */
  replicas?: Replicas
  /** Of every topic, instead of ten. */
  partitions?: number
  /** Variables added to a service's environment. */
  env?: Partial<Record<ServiceName, Record<string, string>>>
  /** Ends the start, or the running stack. */
  signal?: AbortSignal
  log?: Log
}

const grpcPorts = {
  account: 'accountGrpc',
  product: 'productGrpc',
  purchase: 'purchaseGrpc',
  orchestrator: 'orchestratorGrpc',
  media: 'mediaGrpc',
} as const

function serviceSpec(
  name: ServiceName,
  replica: number,
  stack: StackInfo,
  extra: Record<string, string>,
): ProcessSpec {
  const port = replicaPort(stack.ports[name], replica)
  const grpcName = name in grpcPorts ? grpcPorts[name as keyof typeof grpcPorts] : undefined
  const grpcPort = grpcName && replicaPort(stack.ports[grpcName], replica)
  const own = { HTTP_PORT: `${port}`, ...(grpcPort && { GRPC_PORT: `${grpcPort}` }) }
  return {
    name: replicaName(name, replica),
    kind: 'service',
    command: process.execPath,
    args: [...nodeFlags, join('services', name, 'main.ts')],
    env: {
      ...nodeEnv,
      ...serviceEnv(name, stack),
      ...own,
      ...extra,
    },
    cwd: checkout,
    ports: grpcPort ? [port, grpcPort] : [port],
    probe: () => probeHttp(`http://127.0.0.1:${port}/health/ready`),
  }
}

/** A stack that this process started. */
export type OwnStack = Stack & {
  /** Resolves when the stack has stopped, whoever asked for it. */
  ended: Promise<void>
  /** Replaces the variables that a service is given beside the usual ones, from its next start on. */
  setServiceEnv(name: ServiceName, extra: Record<string, string>): void
}

async function choosePorts(
  options: StackOptions,
  log: Log,
): Promise<{ ports: Ports; lock?: Lock }> {
  if (options.portOffset === 'free') {
    const { offset, lock } = await freeOffset()
    return { ports: resolvePorts(offset, {}), lock }
  }
  const offset = options.portOffset ?? 0
  const ports = await withAllowedWebPort(resolvePorts(offset, process.env), offset, process.env)
  if (ports.web === 8000 + offset)
    log(`port ${80 + offset} is not allowed here: ${ports.web} instead`)
  // Processes of a launcher that was killed just now may still be ending.
  let taken: string[] = []
  const allFree = async () => {
    taken = await takenPorts(ports)
    return taken.length === 0
  }
  await waitFor('the ports', allFree, 3000).catch(() => {
    throw new Error(taken.join('\n'))
  })
  return { ports }
}

/** Starts a stack in this process and resolves when all of it is ready. Throws, with nothing left running. */
export async function startStack(options: StackOptions): Promise<OwnStack> {
  await mkdir(join(options.dataDir, 'logs'), { recursive: true })
  const dataDir = await realpath(options.dataDir)
  const lock = await tryLock(dataDir)
  if (!lock) throw new Error(`a stack runs in ${dataDir} already (npm run status, npm run down)`)
  try {
    return await startLocked(dataDir, lock, options)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function startLocked(dataDir: string, lock: Lock, options: StackOptions): Promise<OwnStack> {
  const log = options.log ?? (() => {})
  const startedAt = new Date()
  const { ports, lock: portLock } = await choosePorts(options, log)
  const info: StackInfo = {
    dataDir,
    ports,
    urls: stackUrls(ports),
    secrets: await loadSecrets(dataDir),
    ...(options.replicas && { replicas: options.replicas }),
    ...(options.partitions && { partitions: options.partitions }),
  }
  const supervisor = createSupervisor(join(dataDir, 'logs'), log)
  const seconds = (from: number) => `${((Date.now() - from) / 1000).toFixed(1)} s`
  const ended = Promise.withResolvers<void>()
  let state: StackStatus['state'] = 'starting'
  let stopping: Promise<void> | undefined

  async function startEngine(name: EngineName): Promise<void> {
    const engine: Engine = engines[name]
    const specs = await engine.prepare(info, log)
    await Promise.all(specs.map((spec) => supervisor.add(spec)))
    await engine.setUp?.(info)
    log(`${name} is ready`)
  }

  async function startAll(): Promise<void> {
    await Promise.all(engineNames.map((name) => engines[name].install(log)))
    const installed = Date.now()
    log(`engines are installed (${seconds(startedAt.getTime())})`)
    const started = new Map(engineNames.map((name) => [name, startEngine(name)]))
    const migrated = started.get('postgres')?.then(() => migrateAll((db) => databaseUrl(info, db)))

    const { services = true } = options
    const wanted = Array.isArray(services) ? services : services ? serviceNames : []
    const compiled = wanted.length > 0 ? compileServices() : undefined

    async function startService(name: ServiceName): Promise<void> {
      await compiled
      const needs = enginesOf(name)
      await Promise.all(needs.map((need) => (need === 'postgres' ? migrated : started.get(need))))
      const numbers = replicaNumbers(options.replicas, name)
      const specs = numbers.map((replica) =>
        serviceSpec(name, replica, info, options.env?.[name] ?? {}),
      )
      await Promise.all(specs.map((spec) => supervisor.add(spec)))
      log(`${name} is ready`)
    }

    await Promise.all([...started.values(), migrated, ...wanted.map(startService)])
    log(`everything is ready (${seconds(installed)} without the installation)`)
  }

  async function stopAll(): Promise<void> {
    state = 'stopping'
    await supervisor.stopAll()
    control.close()
    await rm(join(dataDir, 'stack.json'), { force: true })
    portLock?.release()
    lock.release()
    ended.resolve()
  }

  const stack: OwnStack = {
    ...info,
    ended: ended.promise,
    async status() {
      const processes = supervisor.status()
      const rssMb = Math.round(process.memoryUsage.rss() / 1024 / 1024)
      return { state, pid: process.pid, rssMb, startedAt: startedAt.toISOString(), processes }
    },
    async ensure() {
      await starting
      await supervisor.ensure()
    },
    stop() {
      stopping ??= stopAll()
      return stopping
    },
    signal: async (name, signal) => supervisor.signal(name, signal),
    stopProcess: (name) => supervisor.stop(name),
    startProcess: (name) => supervisor.start(name),
    setServiceEnv: (name, extra) =>
      supervisor.setEnv(name, { ...serviceEnv(name, info), ...options.env?.[name], ...extra }),
  }

  const token = randomBytes(24).toString('base64url')
  const control = await serveControl(stack, token)
  const file: StackFile = {
    pid: process.pid,
    startedAt: startedAt.toISOString(),
    control: { port: control.port, token },
    ports,
    ...(options.replicas && { replicas: options.replicas }),
  }
  await writeFile(join(dataDir, 'stack.json.tmp'), JSON.stringify(file, null, 2), { mode: 0o600 })
  await rename(join(dataDir, 'stack.json.tmp'), join(dataDir, 'stack.json'))

  const starting = startAll()
  options.signal?.addEventListener('abort', () => void stack.stop())
  try {
    options.signal?.throwIfAborted()
    await Promise.race([starting, ended.promise])
    if (stopping) throw new Error('stopped')
    state = 'ready'
    return stack
  } catch (error) {
    starting.catch(() => {})
    // What fails because the stack is being stopped is no news.
    const asked = stopping !== undefined
    await stack.stop()
    throw asked ? (options.signal?.reason ?? new Error('stopped before it was ready')) : error
  }
}
