// Plain JavaScript that any Node from 20 on runs: checks what the machine must have, installs the packages, and hands over
// to the Node 24 among them, which runs everything else.
//
// bootstrap.mjs start|up|down|status [...]   the stack
// bootstrap.mjs test [...]                   the tests
// bootstrap.mjs run FILE.ts [...]            anything else
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { constants, homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const node = join(root, 'node_modules/node/bin/node')
const lockFile = join(root, 'package-lock.json')
// kafkajs computes a negative timeout now and then, which Node 24 reports and treats as 1 ms.
const nodeFlags = ['--disable-warning=TimeoutNegativeWarning']

function give(problem) {
  console.error(problem)
  process.exit(1)
}

/** Answers the path of the Python interpreter itself; python3 may be a version manager's script. */
function checkMachine() {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    give(`Node 20 or newer is needed, this is ${process.version}: https://nodejs.org/en/download`)
  }
  if (process.platform !== 'linux') {
    give('The native stack runs on Linux, WSL included')
  }
  const program =
    'import sys, importlib.util as i; print(*sys.version_info[:2], i.find_spec("pip") is not None, sys.executable)'
  const found = spawnSync('python3', ['-c', program], { encoding: 'utf8' })
  if (found.status !== 0) {
    give(
      'Python 3.9 or newer is needed: apt install python3 python3-pip, dnf install python3-pip, …',
    )
  }
  const [major, minor, pip, ...path] = found.stdout.trim().split(' ')
  if (Number(major) !== 3 || Number(minor) < 9) {
    give(
      `Python 3.9 or newer is needed, python3 is ${major}.${minor}: https://www.python.org/downloads`,
    )
  }
  const python = path.join(' ')
  if (pip !== 'True') give(`pip is needed: apt install python3-pip, or ${python} -m ensurepip`)
  return python
}

/**
 * Installs what the lock file says, unless that is there already. Not with npm ci, which refuses the lock file when
 * optional packages (other platforms' binaries) are missing in it or in the registry.
 */
function installPackages() {
  const stamp = join(root, 'node_modules/.installed')
  const wanted = createHash('sha256').update(readFileSync(lockFile)).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && existsSync(node)) return
  const npmsOwn = join(root, 'node_modules/.package-lock.json')
  const byHand = existsSync(npmsOwn) && statSync(npmsOwn).mtimeMs >= statSync(lockFile).mtimeMs
  if (!byHand || !existsSync(node)) {
    console.log('installing the npm packages (once for each package-lock.json)')
    const startedAt = Date.now()
    const install = ['install', '--no-save', '--include=dev', '--include=optional']
    // Warnings are about the Node that runs npm, not the one that runs the shop.
    const options = ['--no-audit', '--no-fund', '--loglevel=error']
    const { status, error } = spawnSync('npm', [...install, ...options], {
      cwd: root,
      stdio: 'inherit',
    })
    if (status !== 0) give(`npm install failed ${error?.message ?? ''}`)
    if (!existsSync(node)) give(`npm brought no ${node}: are install scripts switched off?`)
    console.log(`npm packages installed in ${Math.round((Date.now() - startedAt) / 1000)} s`)
  }
  writeFileSync(stamp, wanted)
}

/** Quick when no schema has changed; then it prints nothing. */
function generateClients() {
  const title = 'generating the database clients'
  if (!existsSync(join(root, 'prisma/account/client'))) console.log(title)
  const { status, stdout } = spawnSync(node, ['prisma/generate.ts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) give(`${title} failed`)
  process.stdout.write(stdout.replaceAll(/^.*: unchanged\n/gm, ''))
}

/** Runs a program in Node 24 as if it were this process: same terminal, signals and exit code; it ends when this ends. */
function become(python, args) {
  const shim = join(root, 'scripts/stack/child.py')
  const tied = ['-I', '-S', shim, 'SIGTERM', String(process.pid), '-', node, ...nodeFlags, ...args]
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  const compiled = join(caches, 'saga-orchestration/node-compile')
  const env = { NODE_COMPILE_CACHE: compiled, ...process.env }
  const child = spawn(python, tied, { stdio: 'inherit', env })
  const sentAt = {}
  const pass = (signal) => {
    // Ctrl-C reaches every process of the terminal, and npm hands it on once more: one press is one signal.
    if (Date.now() - (sentAt[signal] ?? 0) < 1000) return
    sentAt[signal] = Date.now()
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => pass(signal))
  child.on('error', (error) => give(error.message))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

const [command, ...args] = process.argv.slice(2)
const programs = {
  start: ['scripts/stack.ts', 'start', ...args],
  up: ['scripts/stack.ts', 'up', ...args],
  down: ['scripts/stack.ts', 'down', ...args],
  status: ['scripts/stack.ts', 'status', ...args],
  promote: ['scripts/stack.ts', 'promote', ...args],
  test: ['scripts/test.ts', ...args],
  run: args,
}
const program = programs[command]
if (!program?.[0]) give(`usage: bootstrap.mjs ${Object.keys(programs).join('|')}`)

const python = checkMachine()
installPackages()
if (command !== 'down' && command !== 'status') generateClients()
become(python, [join(root, program[0]), ...program.slice(1)])
