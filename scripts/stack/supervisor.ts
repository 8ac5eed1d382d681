import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, renameSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessState, ProcessStatus } from './client.ts'
import type { ProcessSpec } from './engine.ts'
import type { Log } from './log.ts'
import { rssMb } from './process-use.ts'
import { tied } from './run-command.ts'

const firstBackoffMs = 100
const maxBackoffMs = 15_000
const stableAfterMs = 3000
const readyTimeoutMs = 120_000
const exitsBeforeGivingUp = 5
const stopTimeoutMs = 12_000
const maxLogBytes = 20_000_000

type Supervised = ReturnType<typeof supervise>

function supervise(spec: ProcessSpec, logFile: string, log: Log) {
  let child: ChildProcess | undefined
  let state: ProcessState = 'stopped'
  let wanted = false
  let startedAt = 0
  let starts = 0
  let earlyExits = 0
  let backoffMs = firstBackoffMs
  let timer: NodeJS.Timeout | undefined

  function launch(): void {
    clearTimeout(timer)
    const fd = openSync(logFile, 'a')
    const [command, args] = tied(spec.command, spec.args, spec)
    const launched = spawn(command, args, {
      cwd: spec.cwd,
      env: spec.env,
      // In its own session, so that Ctrl-C reaches the launcher only and the order of stopping holds.
      detached: true,
      stdio: ['ignore', fd, fd],
    })
    closeSync(fd)
    child = launched
    state = 'starting'
    startedAt = Date.now()
    starts++
    launched.once('exit', (code, signal) => onExit(signal ?? `code ${code}`))
    void watch(launched)
  }

  /** A probe that throws at once has no promise to reject. */
  async function answersNow(): Promise<boolean> {
    try {
      await spec.probe()
      return true
    } catch {
      return false
    }
  }

  async function watch(launched: ChildProcess): Promise<void> {
    while (child === launched && state === 'starting') {
      const answers = await answersNow()
      if (answers && child === launched && state === 'starting') state = 'ready'
      else await sleep(50)
    }
  }

  function onExit(how: string): void {
    const lived = Date.now() - startedAt
    const wasReady = state === 'ready'
    child = undefined
    state = 'stopped'
    if (!wanted) return
    earlyExits = wasReady ? 0 : earlyExits + 1
    if (wasReady && lived > stableAfterMs) backoffMs = firstBackoffMs
    state = 'restarting'
    log(`${spec.name} ended (${how}), starting it again in ${backoffMs / 1000} s`)
    timer = setTimeout(launch, backoffMs)
    backoffMs = Math.min(backoffMs * 2, maxBackoffMs)
  }

  function hopeless(deadline: number): string | undefined {
    if (state === 'stopped') return 'was stopped'
    if (earlyExits >= exitsBeforeGivingUp) return `ended ${earlyExits} times before it was ready`
    if (Date.now() > deadline) return `is not ready after ${readyTimeoutMs / 1000} s`
    return undefined
  }

  async function ready(): Promise<void> {
    const deadline = Date.now() + readyTimeoutMs
    while (state !== 'ready') {
      const why = hopeless(deadline)
      const end = why && `; the end of ${logFile}:\n${await tail(logFile)}`
      if (why) throw new Error(`${spec.name} ${why}${end}`)
      await sleep(20)
    }
  }

  return {
    spec,
    ready,
    start(): void {
      wanted = true
      if (child) return
      earlyExits = 0
      backoffMs = firstBackoffMs
      launch()
    },
    async stop(): Promise<void> {
      wanted = false
      clearTimeout(timer)
      const stopping = child
      if (!stopping) {
        state = 'stopped'
        return
      }
      state = 'stopping'
      const ended = new Promise<void>((done) => stopping.once('exit', () => done()))
      stopping.kill(spec.stopSignal ?? 'SIGTERM')
      // A process that a drill has stopped must be continued to receive the signal.
      stopping.kill('SIGCONT')
      const deadline = setTimeout(() => stopping.kill('SIGKILL'), stopTimeoutMs)
      await ended
      clearTimeout(deadline)
    },
    /** The environment from its next start on. */
    setEnv(env: Record<string, string>): void {
      spec.env = env
    },
    signal(signal: NodeJS.Signals): void {
      if (!child?.kill(signal)) throw new Error(`${spec.name} is not running`)
    },
    status(): ProcessStatus {
      return {
        name: spec.name,
        kind: spec.kind,
        state,
        pid: child?.pid ?? null,
        ports: spec.ports,
        uptimeSeconds: child ? Math.round((Date.now() - startedAt) / 1000) : 0,
        restarts: Math.max(0, starts - 1),
        rssMb: child?.pid ? rssMb(child.pid) : 0,
      }
    },
  }
}

async function tail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.trimEnd().split('\n').slice(-20).join('\n')
}

function rotate(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > maxLogBytes) renameSync(file, `${file}.1`)
}

/** Starts child processes, restarts them when they end, and stops them in order. */
export function createSupervisor(logDir: string, log: Log) {
  const processes = new Map<string, Supervised>()
  let closed = false

  function find(name: string): Supervised {
    const found = processes.get(name)
    if (!found) throw new Error(`no process is called ${name}: ${[...processes.keys()].join(' ')}`)
    return found
  }

  async function stopKind(kind: ProcessSpec['kind']): Promise<void> {
    const some = [...processes.values()].filter((process) => process.spec.kind === kind)
    await Promise.all(some.map((process) => process.stop()))
  }

  return {
    /** Starts a process and waits until it is ready; throws with the last lines of its log. */
    async add(spec: ProcessSpec): Promise<void> {
      if (closed) throw new Error('the stack is stopping')
      const logFile = join(logDir, `${spec.name}.log`)
      rotate(logFile)
      const process = supervise(spec, logFile, log)
      processes.set(spec.name, process)
      process.start()
      await process.ready()
    },
    async ensure(): Promise<void> {
      if (closed) throw new Error('the stack is stopping')
      for (const process of processes.values()) process.start()
      await Promise.all([...processes.values()].map((process) => process.ready()))
    },
    async stopAll(): Promise<void> {
      closed = true
      await stopKind('service')
      await stopKind('engine')
    },
    signal: (name: string, signal: NodeJS.Signals) => find(name).signal(signal),
    setEnv: (name: string, env: Record<string, string>) => find(name).setEnv(env),
    stop: (name: string) => find(name).stop(),
    async start(name: string): Promise<void> {
      find(name).start()
      await find(name).ready()
    },
    status: () => [...processes.values()].map((process) => process.status()),
  }
}
