import { randomBytes } from 'node:crypto'
import { mkdir, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { migrateAll } from '../../prisma/migrate.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import {
  type Stack,
  type StackFile,
  type StackInfo,
  type StackStatus,
  sessionUrl,
  stackUrls,
} from './client.ts'
import { createReplication, type Replication } from './cluster/replication.ts'
import { compileServices } from './compiled.ts'
import { serveControl } from './control.ts'
import type { ProcessSpec } from './engine.ts'
import { engines as allEngines, type EngineName } from './engines/all.ts'
import { labSpec } from './lab.ts'
import { type Lock, tryLock } from './lock.ts'
import type { Log } from './log.ts'
import { observe } from './observe/observe.ts'
import type { ObserveOptions } from './observe/prometheus-config.ts'
import { freeOffset, type Ports, resolvePorts, takenPorts, withAllowedWebPort } from './ports.ts'
import { checkProfile, type StackProfile } from './profile.ts'
import { type Replicas, replicaNumbers } from './replicas.ts'
import { loadSecrets } from './secrets.ts'
import { serviceSpec } from './service-spec.ts'
import { enginesOf, type ServiceName, serviceNames } from './services.ts'
import { createSupervisor } from './supervisor.ts'
import { buildWeb } from './web.ts'

export type StackOptions = {
  dataDir: string
  /** Added to every port; 'free' looks for one at which all are free. */
  portOffset?: number | 'free'
  /** All eight (the default), none, or some. */
  services?: boolean | ServiceName[]
  /** Whether the failure lab runs beside the services. Not by default: tests break things themselves. */
  lab?: boolean
  /** One of each engine, if it is not said. */
  profile?: StackProfile
  /** More than one process of some services. */
  replicas?: Replicas
  /** Of every topic, instead of ten. */
  partitions?: number
  /** Variables added to a service's environment. */
  env?: Partial<Record<ServiceName, Record<string, string>>>
  /** Whether Prometheus and Zipkin run beside it, or how. */
  observe?: boolean | Partial<ObserveOptions>
  /** Where its processes send spans instead, and the share of traces that are kept. */
  otlp?: { endpoint: string; share: string }
  /** Ends the start, or the running stack. */
  signal?: AbortSignal
  log?: Log
}

/** A stack that this process started. */
export type OwnStack = Stack & {
  /** Resolves when the stack has stopped, by this process or by another one. */
  ended: Promise<void>
  /** Replaces the variables that a service is given beside the usual ones, from its next start on. */
  setServiceEnv(name: ServiceName, extra: Record<string, string>): void
}

async function choosePorts(
  options: StackOptions,
  log: Log,
): Promise<{ ports: Ports; lock?: Lock }> {
  if (options.portOffset === 'free') {
    const { offset, lock } = await freeOffset(options.profile)
    return { ports: resolvePorts(offset, {}), lock }
  }
  const offset = options.portOffset ?? 0
  const ports = await withAllowedWebPort(resolvePorts(offset, process.env), offset, process.env)
  if (ports.web === 8000 + offset)
    log(`port ${80 + offset} is not allowed here: ${ports.web} instead`)
  // Processes of a launcher that was just killed may still be running.
  let taken: string[] = []
  const allFree = async () => {
    taken = await takenPorts(ports, options.profile)
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
  const { profile = 'single' } = options
  checkProfile(dataDir, profile)
  const engines = allEngines[profile]
  const engineNames = Object.keys(engines) as EngineName[]
  const { ports, lock: portLock } = await choosePorts(options, log)
  const observing = options.observe
    ? observe(ports, process.env, options.observe === true ? undefined : options.observe)
    : undefined
  const otlp = options.otlp ?? observing?.otlp
  const info: StackInfo = {
    dataDir,
    ports,
    urls: stackUrls(ports, profile),
    secrets: await loadSecrets(dataDir),
    profile,
    ...(options.replicas && { replicas: options.replicas }),
    ...(options.partitions && { partitions: options.partitions }),
    ...(otlp && { otlp }),
  }
  const supervisor = createSupervisor(join(dataDir, 'logs'), log)
  const { services = true } = options
  const wanted = Array.isArray(services) ? services : services ? serviceNames : []
  const extraEnv = new Map<ServiceName, Record<string, string>>()
  const seconds = (from: number) => `${((Date.now() - from) / 1000).toFixed(1)} s`
  const ended = Promise.withResolvers<void>()
  let state: StackStatus['state'] = 'starting'
  let stopping: Promise<void> | undefined
  let replication: Replication | undefined
  const started = new Map<string, Promise<void>>()

  async function addAll(specs: ProcessSpec[]): Promise<void> {
    await Promise.all(specs.map((spec) => supervisor.add(spec)))
  }

  /** Every replica of a service, as it is started next. */
  const specsOf = (name: ServiceName) =>
    replicaNumbers(options.replicas, name).map((replica) =>
      serviceSpec(name, replica, info, {
        ...observing?.envOf(name),
        ...options.env?.[name],
        ...extraEnv.get(name),
      }),
    )

  async function startEngine(name: EngineName): Promise<void> {
    const engine = engines[name]
    await Promise.all((engine.after ?? []).map((other) => started.get(other)))
    await addAll(await engine.prepare(info, log))
    await engine.setUp?.(info)
    await addAll((await engine.prepareNext?.(info, log)) ?? [])
    if (name === 'postgres' && profile === 'cluster' && !stopping) {
      replication = createReplication(info, supervisor, log)
    }
    log(`${name} is ready`)
  }

  async function startAll(): Promise<void> {
    await Promise.all(engineNames.map((name) => engines[name].install(log)))
    const observers = (await observing?.specs(info, log)) ?? []
    const installed = Date.now()
    log(`engines are installed (${seconds(startedAt.getTime())})`)
    const observed = Promise.all(observers.map((spec) => supervisor.add(spec)))
    for (const name of engineNames) started.set(name, startEngine(name))
    const migrated = started.get('postgres')?.then(() => migrateAll((db) => sessionUrl(info, db)))

    const compiled = wanted.length > 0 ? compileServices() : undefined
    const built = wanted.includes('account') ? buildWeb() : undefined

    async function startService(name: ServiceName): Promise<void> {
      await compiled
      if (name === 'account') await built
      const needs = enginesOf(name)
      await Promise.all(needs.map((need) => (need === 'postgres' ? migrated : started.get(need))))
      await addAll(specsOf(name))
      log(`${name} is ready`)
    }

    await Promise.all([observed, ...started.values(), migrated, ...wanted.map(startService)])
    if (options.lab) await supervisor.add(labSpec(info))
    log(`everything is ready (${seconds(installed)} without the installation)`)
  }

  async function stopAll(): Promise<void> {
    state = 'stopping'
    await replication?.close()
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
    async startProcess(name) {
      await supervisor.start(name)
      // Its data may have been lost meanwhile.
      if (name in engines) await engines[name as EngineName].setUp?.(info)
    },
    configureService: async (name, extra) => stack.setServiceEnv(name, extra),
    setServiceEnv(name, extra) {
      extraEnv.set(name, extra)
      for (const spec of specsOf(name)) supervisor.setEnv(spec.name, spec.env)
    },
    async reloadSecrets() {
      info.secrets = await loadSecrets(dataDir)
      stack.secrets = info.secrets
      const specs = [
        ...wanted.flatMap(specsOf),
        ...(options.lab ? [labSpec(info)] : []),
        ...(await engines.provider.prepare(info, log)),
      ]
      for (const { name, env } of specs) supervisor.setEnv(name, env)
    },
    async promote() {
      if (!replication) throw new Error('this stack has no standby')
      await replication.promote()
    },
  }

  const token = randomBytes(24).toString('base64url')
  const control = await serveControl(stack, token)
  const file: StackFile = {
    pid: process.pid,
    startedAt: startedAt.toISOString(),
    control: { port: control.port, token },
    ports,
    profile,
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
    // A failure during a stop is expected.
    const asked = stopping !== undefined
    await stack.stop()
    throw asked ? (options.signal?.reason ?? new Error('stopped before it was ready')) : error
  }
}
