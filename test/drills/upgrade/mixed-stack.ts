import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { databases } from '../../../prisma/databases.ts'
import { connectStack, databaseUrl, type Stack } from '../../../scripts/stack/client.ts'
import { compileServices } from '../../../scripts/stack/compiled.ts'
import { run, tied } from '../../../scripts/stack/run-command.ts'
import { serviceSpec } from '../../../scripts/stack/service-spec.ts'
import { type ServiceName, serviceNames } from '../../../scripts/stack/services.ts'
import type { OwnStack } from '../../../scripts/stack/start.ts'
import { createSupervisor } from '../../../scripts/stack/supervisor.ts'
import { buildWeb } from '../../../scripts/stack/web.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import { type Code, thisCode } from './release.ts'

type Env = Record<string, string>

export type MixedStack = Awaited<ReturnType<typeof startMixedStack>>

const startDeadlineMs = 300_000
const stopDeadlineMs = 60_000

/** The last lines of a file. */
async function endOf(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trimEnd().split('\n').slice(-20).join('\n')
}

/** The launcher of a release, in its own folder, with all services. */
async function startRelease(release: Code, dataDir: string): Promise<[ChildProcess, Stack]> {
  const logFile = join(dataDir, 'logs/launcher.log')
  await mkdir(join(dataDir, 'logs'))
  const log = openSync(logFile, 'a')
  const [file, args] = tied(release.node, ['scripts/stack.ts', 'serve'], { deathSignal: 'SIGTERM' })
  const launcher = spawn(file, args, {
    cwd: release.dir,
    env: {
      ...process.env,
      STACK_DATA: dataDir,
      STACK_PORT_OFFSET: 'free',
      // By name, and so without the failure lab.
      STACK_SERVICES: serviceNames.join(),
    },
    stdio: ['ignore', log, log],
  })
  const stack = await waitFor(
    `${release.name} to start`,
    async () => {
      if (launcher.exitCode !== null) return 'ended'
      const found = await connectStack(dataDir)
      return (await found.status()).state === 'ready' && found
    },
    startDeadlineMs,
  )
  if (stack === 'ended') throw new Error(`${release.name} does not start:\n${await endOf(logFile)}`)
  return [launcher, stack]
}

/**
 * A shop that begins as a release, on its engines. Each service can be replaced by the one of this code, and back, on
 * the same ports and data.
 */
export async function startMixedStack(
  release: Code,
  env: Partial<Record<ServiceName, Env>>,
  signal: AbortSignal,
) {
  await Promise.all([compileServices(), buildWeb()])
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-upgrade-'))
  const [launcher, released] = await startRelease(release, dataDir)
  const logs = join(dataDir, 'logs/this-code')
  await mkdir(logs)
  const supervisor = createSupervisor(logs, () => {})
  const extra: Partial<Record<ServiceName, Env>> = { ...env }
  const replaced = new Set<string>()
  const added = new Set<string>()
  const ended = once(launcher, 'exit').then(() => {})

  async function startReplacement(name: ServiceName): Promise<void> {
    const spec = serviceSpec(name, 1, released, extra[name] ?? {})
    if (added.has(name)) {
      supervisor.setEnv(name, spec.env)
      return supervisor.start(name)
    }
    added.add(name)
    return supervisor.add(spec)
  }

  async function startReleased(name: string): Promise<void> {
    if (serviceNames.includes(name as ServiceName)) {
      await released.configureService(name as ServiceName, extra[name as ServiceName] ?? {})
    }
    await released.startProcess(name)
  }

  const stack: OwnStack = {
    ...released,
    ended,
    async status() {
      const { processes, ...rest } = await released.status()
      const kept = processes.filter(({ name }) => !replaced.has(name))
      const own = supervisor.status().filter(({ name }) => replaced.has(name))
      return { ...rest, processes: [...kept, ...own] }
    },
    async ensure() {
      await Promise.all(serviceNames.map((name) => stack.startProcess(name)))
    },
    async stop() {
      await supervisor.stopAll()
      launcher.kill('SIGTERM')
      const late = AbortSignal.timeout(stopDeadlineMs)
      late.addEventListener('abort', () => launcher.kill('SIGKILL'))
      if (launcher.exitCode === null && launcher.signalCode === null) await ended
    },
    signal: async (name, kind) =>
      replaced.has(name) ? supervisor.signal(name, kind) : released.signal(name, kind),
    stopProcess: (name) =>
      replaced.has(name) ? supervisor.stop(name) : released.stopProcess(name),
    startProcess: (name) =>
      replaced.has(name) ? startReplacement(name as ServiceName) : startReleased(name),
    configureService: async (name, changes) => stack.setServiceEnv(name, changes),
    setServiceEnv: (name, changes) => {
      extra[name] = { ...env[name], ...changes }
    },
  }

  async function replace(name: ServiceName, code: Code): Promise<void> {
    await stack.stopProcess(name)
    if (code === thisCode) replaced.add(name)
    else replaced.delete(name)
    await stack.startProcess(name)
  }

  /** What each version does before its services start: the jobs of docker-compose.yml. */
  async function setUp({ dir, node }: Code): Promise<void> {
    const { urls, secrets } = released
    const variables = databases.map((name) => [
      `${name.toUpperCase()}_DATABASE_URL`,
      databaseUrl(released, name),
    ])
    const job = (args: string[], jobEnv: Env) => run(node, args, { cwd: dir, env: jobEnv })
    await job(['prisma/migrate.ts', 'deploy'], Object.fromEntries(variables))
    await job(['scripts/stack/set-up/topics.ts'], { KAFKA_BROKERS: urls.kafkaBrokers.join() })
    await job(['scripts/stack/set-up/buckets.ts'], {
      MINIO_URL: urls.minio,
      MINIO_ACCESS_KEY: secrets.minio.accessKey,
      MINIO_SECRET_KEY: secrets.minio.secretKey,
    })
    await job(['temporal/setup.ts'], { TEMPORAL_ADDRESS: urls.temporal })
  }

  async function close({ keep = false } = {}): Promise<void> {
    await stack.stop()
    if (!keep) await rm(dataDir, { recursive: true, force: true })
  }

  signal.addEventListener('abort', () => void stack.stop())
  try {
    signal.throwIfAborted()
    for (const name of Object.keys(env) as ServiceName[]) await replace(name, release)
  } catch (error) {
    await close()
    throw error
  }
  return { stack, replace, setUp, close, deadLetters: 0 }
}
