import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'

const shim = join(import.meta.dirname, 'child.py')

/** The interpreter itself: what is called python3 may be a version manager's script, which is slow and forks. */
export const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
  encoding: 'utf8',
}).trim()

/** The command line of a child that dies with this process (see child.py). */
export function tied(
  command: string,
  args: string[],
  options: { uid?: number; deathSignal?: NodeJS.Signals } = {},
): [string, string[]] {
  const uid = options.uid === undefined ? '-' : String(options.uid)
  const signal = options.deathSignal ?? 'SIGKILL'
  return [python, ['-I', '-S', shim, signal, String(process.pid), uid, command, ...args]]
}

const running = new Set<number>()

// A build has children, so the whole process group is ended.
process.on('exit', () => {
  for (const pid of running) process.kill(-pid, 'SIGKILL')
})

export type RunOptions = { cwd?: string; env?: Record<string, string | undefined>; uid?: number }

/** Runs a command to its end. Resolves with its output; throws with the last lines of it. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const [file, fileArgs] = tied(command, args, options)
  const child = spawn(file, fileArgs, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const pid = Number(child.pid)
  running.add(pid)
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))
  return new Promise((done, fail) => {
    child.once('error', fail)
    child.once('exit', () => running.delete(pid))
    child.once('close', (code, signal) => {
      if (code === 0) return done(output)
      const lines = output.trim().split('\n').slice(-20).join('\n')
      fail(new Error(`${[command, ...args].join(' ')} failed (${signal ?? code})\n${lines}`))
    })
  })
}

/** Installs one package of the Python index below `dir`. */
export async function pipInstall(
  requirement: string,
  dir: string,
  ...args: string[]
): Promise<void> {
  const options = ['--only-binary', ':all:', '--target', dir, ...args, requirement]
  const env = { PIP_ROOT_USER_ACTION: 'ignore', PIP_DISABLE_PIP_VERSION_CHECK: '1' }
  await run(python, ['-m', 'pip', 'install', '--quiet', ...options], { env })
}
