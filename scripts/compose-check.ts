import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { composeEnv } from './compose-env.ts'
import { composeProgram } from './compose-program.ts'
import { run } from './stack/run-command.ts'

/*
 * `npm run compose-check`: docker-compose.yml as Docker Compose itself reads it, alone and with clusters of engines, with
 * every profile and secrets made for the occasion. No Docker engine is needed, and where no Docker Compose is new
 * enough, one is fetched into the cache.
 */

type Program = { command: string; args: string[]; env: Record<string, string> }

const checkout = join(import.meta.dirname, '..')
const profiles = ['full', 'light', 'full,bench']
const cluster = ['--file', 'docker-compose.yml', '--file', 'deploy/cluster/docker-compose.yml']

/** What docs/cluster.md asks for: `start_interval`, dependencies that are not required, and `!override`. */
const oldest = [2, 24, 4]

function isNewEnough(version: string): boolean {
  const found = (/^v?(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number)
  const differing = oldest.findIndex((number, index) => found[index] !== number)
  return differing === -1 || (found[differing] ?? 0) > (oldest[differing] ?? 0)
}

/** Of the machine: the plugin of Docker, or the program. */
function installed(command: string, ...args: string[]) {
  return async (): Promise<Program> => ({ command, args, env: {} })
}

async function fromPython(): Promise<Program> {
  return { command: await composeProgram(console.log), args: [], env: {} }
}

function compose(program: Program, args: string[], env: Record<string, string> = {}) {
  return run(program.command, [...program.args, ...args], {
    cwd: checkout,
    env: { ...program.env, ...env },
  })
}

/** The first one that is available and works; undefined if there is none. */
async function findCompose(): Promise<Program | undefined> {
  const sources = [installed('docker', 'compose'), installed('docker-compose'), fromPython]
  for (const source of sources) {
    try {
      const program = await source()
      const version = (await compose(program, ['version', '--short'])).trim()
      console.log(`Docker Compose ${version}`)
      if (isNewEnough(version)) return program
    } catch (error) {
      console.log((error as Error).message.split('\n').slice(0, 2).join(': '))
    }
  }
  return undefined
}

/** Throws with Docker Compose's message if it refuses the file, or accepts it without secrets. */
async function check(program: Program): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'compose-check-'))
  try {
    const secrets = join(dir, 'env')
    const none = join(dir, 'none')
    await Promise.all([writeFile(secrets, composeEnv()), writeFile(none, '')])
    const config = ['--env-file', secrets, 'config', '--quiet']
    for (const COMPOSE_PROFILES of profiles) {
      await compose(program, config, { COMPOSE_PROFILES })
      await compose(program, [...cluster, ...config], { COMPOSE_PROFILES })
      console.log(`docker-compose.yml with ${COMPOSE_PROFILES}, also of clusters: good`)
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
