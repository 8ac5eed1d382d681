import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { composeEnv } from '../../scripts/compose-env.ts'
import { run } from '../../scripts/stack/run-command.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import type { Engine } from './engine.ts'
import { runFolder } from './enter.ts'

export type Project = Awaited<ReturnType<typeof openProject>>
export type Profile = 'light' | 'full'

/** What `docker compose config` prints, as far as it is read. */
type Config = { services: Record<string, { volumes?: { type: string; source?: string }[] }> }

const name = 'shop'
/** As the services listen inside, by name. */
const httpPorts = {
  account: 3001,
  product: 3002,
  order: 3003,
  payment: 3004,
  purchase: 3005,
  orchestrator: 3006,
  media: 3007,
  mail: 3008,
}

/** Compose files of a folder as one project of the engine, with secrets made for the occasion. */
export async function openProject(
  { docker, client }: Engine,
  profile: Profile,
  folder: string,
  files: string[],
) {
  const envFile = join(runFolder, 'secrets')
  const env = composeEnv().replace(/^COMPOSE_PROFILES=.*$/m, `COMPOSE_PROFILES='${profile}'`)
  await writeFile(envFile, env, { mode: 0o600 })

  const options = [
    ...['--project-name', name, '--env-file', envFile],
    ...files.flatMap((file) => ['--file', join(folder, file)]),
  ]
  const compose = (...words: string[]) => docker('compose', ...options, ...words)
  const lines = (text: string) => text.split('\n').filter((line) => line)

  /** The ids of the running containers, of one service or of all. */
  const containers = async (...services: string[]) =>
    lines(await compose('ps', '--quiet', ...services)).sort()

  async function addressesOf(service: string): Promise<string[]> {
    const ids = await containers(service)
    const format = `{{(index .NetworkSettings.Networks "${name}_back").IPAddress}}`
    return lines(await docker('inspect', '--format', format, ...ids))
  }

  async function isReady(service: string, port: number): Promise<boolean> {
    const addresses = await addressesOf(service)
    const answers = addresses.map((address) =>
      fetch(`http://${address}:${port}/health/ready`, { signal: AbortSignal.timeout(2_000) }),
    )
    return (await Promise.all(answers)).every(({ ok }) => ok) && addresses.length > 0
  }

  return {
    docker,
    compose,
    containers,
    addressesOf,
    /** Starts what does not run and waits until all is healthy; throws if something is not within five minutes. */
    up: (...words: string[]) =>
      compose('up', '--detach', '--wait', '--wait-timeout', '300', ...words),
    /** Runs a script of the folder that uses Docker Compose. */
    script: (path: string) =>
      run('sh', [join(folder, path)], {
        env: { ...client, COMPOSE_PROJECT_NAME: name, COMPOSE_ENV_FILES: envFile },
      }),
    /** Kills every process of a container, which then stays down. */
    async lose(service: string): Promise<void> {
      await docker('kill', ...(await containers(service)))
    },
    async volumes(): Promise<string[]> {
      return lines(await docker('volume', 'ls', '--quiet')).sort()
    },
    /** Those that the file names for the services of the profile. */
    async namedVolumes(): Promise<string[]> {
      const { services }: Config = JSON.parse(await compose('config', '--format', 'json'))
      const mounts = Object.values(services).flatMap(({ volumes }) => volumes ?? [])
      const named = mounts.filter(({ type }) => type === 'volume')
      return [...new Set(named.map(({ source }) => `${name}_${source}`))].sort()
    },
    /** Kills the first process of a container from outside, as a crash would: the engine starts it again. */
    async kill(service: string): Promise<void> {
      const [id = ''] = await containers(service)
      const state = (field: string) => docker('inspect', '--format', `{{.State.${field}}}`, id)
      const startedAt = await state('StartedAt')
      process.kill(Number(await state('Pid')), 'SIGKILL')
      await waitFor(
        `${service} to start again`,
        async () => (await state('StartedAt')) !== startedAt,
      )
    },
    /** Waits until every service says that it is ready, not only that its container was healthy once. */
    async ready(deadlineMs = 90_000): Promise<void> {
      const left = new Map(Object.entries(httpPorts))
      await waitFor(
        'every service to be ready',
        async () => {
          for (const [service, port] of left) {
            if (!(await isReady(service, port))) throw new Error(`${service} is not ready`)
            left.delete(service)
          }
          return true
        },
        deadlineMs,
      )
    },
    /** The text of /metrics of every replica of a service. */
    async metrics(service: keyof typeof httpPorts): Promise<string[]> {
      const urls = (await addressesOf(service)).map((it) => `http://${it}:${httpPorts[service]}`)
      return Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()))
    },
  }
}
