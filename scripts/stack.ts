import { spawn } from 'node:child_process'
import { closeSync, openSync, statSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectStack, type Stack, StackNotRunningError } from './stack/client.ts'
import { tryLock } from './stack/lock.ts'
import { parseProfile } from './stack/profile.ts'
import { parseReplicas } from './stack/replicas.ts'
import { type ServiceName, serviceNames } from './stack/services.ts'

const dataDir = resolve(process.env.STACK_DATA || join(import.meta.dirname, '../.stack'))
const launcherLog = join(dataDir, 'logs', 'launcher.log')

const print = (line: string) => process.stdout.write(`${line}\n`)

function portOffset(): number | 'free' {
  const text = process.env.STACK_PORT_OFFSET || '0'
  if (text === 'free') return 'free'
  if (!/^\d+$/.test(text)) throw new Error(`STACK_PORT_OFFSET is not a number: ${text}`)
  return Number(text)
}

/** STACK_SERVICES: all (the default), none, or names. */
function services(): boolean | ServiceName[] {
  const text = process.env.STACK_SERVICES || 'all'
  if (text === 'all' || text === 'none') return text === 'all'
  const names = text.split(',') as ServiceName[]
  const unknown = names.filter((name) => !serviceNames.includes(name))
  if (unknown.length > 0)
    throw new Error(`STACK_SERVICES: no service is called ${unknown.join(', ')}`)
  return names
}

async function runningStack(): Promise<Stack | undefined> {
  try {
    return await connectStack(dataDir)
  } catch (error) {
    if (error instanceof StackNotRunningError) return undefined
    throw error
  }
}

/** Pages that `--observe` adds. */
const observers = ['zipkin', 'prometheus']

async function printAddresses(stack: Stack): Promise<void> {
  const { api, operators, mail, minioConsole, temporalUi, dashboard } = stack.urls
  print(`shop ${api}   mail ${mail}   MinIO ${minioConsole}`)
  print(`console ${operators}/console   failure lab ${operators}/lab`)
  print(`their operatorToken is in ${join(dataDir, 'secrets.json')}`)
  print(`Temporal ${temporalUi}   Traefik ${dashboard}`)
  const { processes } = await stack.status()
  const added = processes.filter(({ name }) => observers.includes(name))
  const pages = added.map(({ name, ports }) => `${name} http://127.0.0.1:${ports[0]}`)
  if (pages.length > 0) print(pages.join('   '))
  print(`data and logs in ${dataDir}`)
}

/** Keeps the stack up until a signal or `down`; a second signal does not wait for the processes to stop. */
async function serve(
  afterStart: (stack: Stack) => Promise<boolean>,
  { once = false, observe = false }: { once?: boolean; observe?: boolean },
): Promise<void> {
  // Writing to a closed terminal must not crash the launcher.
  process.stdout.on('error', () => {})
  const abort = new AbortController()
  let abortedAt = 0
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (abort.signal.aborted) {
        // One Ctrl-C may arrive from the terminal and from npm.
        if (Date.now() - abortedAt > 1000) process.exit(130)
        return
      }
      abortedAt = Date.now()
      print(`${name}: stopping`)
      abort.abort(new Error(`stopped by ${name}`))
    })
  }
  const startedAt = Date.now()
  const log = (line: string) => {
    print(`[${((Date.now() - startedAt) / 1000).toFixed(1).padStart(5)}] ${line}`)
  }
  const { startStack } = await import('./stack/start.ts')
  const stack = await startStack({
    dataDir,
    portOffset: portOffset(),
    services: services(),
    lab: services() === true,
    profile: parseProfile(process.env.STACK_PROFILE || ''),
    replicas: parseReplicas(process.env.STACK_REPLICAS || ''),
    observe,
    signal: abort.signal,
    log,
  })
  await printAddresses(stack)
  try {
    const good = await Promise.race([afterStart(stack), stack.ended.then(() => false)])
    if (!once) await stack.ended
    else if (!good) process.exitCode = 1
  } finally {
    await stack.stop()
  }
}

async function start(args: string[]): Promise<void> {
  const { runDemo } = await import('./demo.ts')
  const once = args.includes('--once')
  await serve(
    async (stack) => {
      const good = await runDemo(stack)
      if (!once) print('Ctrl-C stops everything')
      return good
    },
    { once, observe: args.includes('--observe') },
  )
}

/** Whether a launcher works in the data folder, be it one that is not ready to answer yet. */
async function isTaken(): Promise<boolean> {
  const lock = await tryLock(dataDir)
  lock?.release()
  return lock === undefined
}

/** Prints the output of the background launcher until it is ready or has ended. */
async function follow(pid: number, from: number): Promise<void> {
  const file = await open(launcherLog)
  let position = from
  const copy = async () => {
    const { bytesRead, buffer } = await file.read({ position, buffer: Buffer.alloc(65_536) })
    position += bytesRead
    process.stdout.write(buffer.subarray(0, bytesRead))
  }
  try {
    for (;;) {
      const alive = isAlive(pid)
      await copy()
      // Another concurrent `up` may have been first; then use its launcher.
      if (!alive && !(await isTaken())) throw new Error(`the launcher ended; see ${launcherLog}`)
      const stack = await runningStack()
      if (stack && (await stack.status()).state === 'ready') break
      await sleep(200)
    }
    await copy()
  } finally {
    await file.close()
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function up(args: string[]): Promise<void> {
  const running = await runningStack()
  if (running) {
    await running.ensure()
    print('the stack is up')
    await printAddresses(running)
    return
  }
  await mkdir(join(dataDir, 'logs'), { recursive: true })
  const from = statSync(launcherLog, { throwIfNoEntry: false })?.size ?? 0
  const fd = openSync(launcherLog, 'a')
  const launcher = spawn(
    process.execPath,
    [...process.execArgv, import.meta.filename, 'serve', ...args],
    {
      detached: true,
      stdio: ['ignore', fd, fd],
    },
  )
  closeSync(fd)
  launcher.unref()
  await follow(Number(launcher.pid), from)
}

async function down(): Promise<void> {
  const running = await runningStack()
  if (!running) {
    print('nothing is running')
    return
  }
  await running.stop()
  print('stopped')
}

async function promote(): Promise<void> {
  const running = await runningStack()
  if (!running) throw new Error('nothing is running')
  await running.promote()
  print('the standby is the primary; the former primary becomes its standby')
}

async function status(): Promise<void> {
  const running = await runningStack()
  if (!running) {
    print('nothing is running')
    process.exitCode = 1
    return
  }
  const { state, pid, rssMb, startedAt, processes } = await running.status()
  print(`${state} since ${startedAt}, launcher ${pid} (${rssMb} MB)`)
  const rows = processes.map((one) => [
    one.name,
    one.state,
    one.pid ?? '-',
    one.ports.join(' '),
    `${one.uptimeSeconds} s`,
    one.restarts,
    `${one.rssMb} MB`,
  ])
  const table = [['process', 'state', 'pid', 'ports', 'up', 'restarts', 'RSS'], ...rows]
  const widths = table[0]?.map((_, column) =>
    Math.max(...table.map((row) => `${row[column]}`.length)),
  )
  for (const row of table) {
    print(row.map((cell, column) => `${cell}`.padEnd(widths?.[column] ?? 0)).join('  '))
  }
  print(`${processes.reduce((sum, one) => sum + one.rssMb, rssMb)} MB in all`)
}

const commands: Record<string, (args: string[]) => Promise<void>> = {
  start,
  up,
  down,
  promote,
  status,
  serve: (args) => serve(async () => true, { observe: args.includes('--observe') }),
}

const [name = '', ...args] = process.argv.slice(2)
const command = commands[name]
try {
  if (!command) throw new Error(`usage: stack.ts ${Object.keys(commands).join('|')}`)
  await command(args)
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
}
// An explicit exit, because an interrupted installation may keep the event loop alive.
process.exit()
