import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { composeEnv } from './compose-env.ts'
import { composeProgram } from './compose-program.ts'
import { run } from './stack/run-command.ts'

/*
 * `npm run compose-check`: docker-compose.yml as Docker Compose itself reads it, with every profile and secrets made
 * for the occasion. No Docker engine is needed, and where no Docker Compose is new enough, one is fetched into the
 * cache.
 */

type Program = { command: string; args: string[]; env: Record<string, string> }

const checkout = join(import.meta.dirname, '..')
const profiles = ['full', 'light', 'full,bench']

/** What docs/compose.md asks for: `start_interval`, and dependencies that are not required. */
const oldest = { major: 2, minor: 24 }

function isNewEnough(version: string): boolean {
  const [, major = 0, minor = 0] = (/^v?(\d+)\.(\d+)/.exec(version) ?? []).map(Number)
  return major > oldest.major || (major === oldest.major && minor >= oldest.minor)
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
