import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { run, tied } from '../../scripts/stack/run-command.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { cgroup, runFolder } from './enter.ts'
import { useNetwork } from './network.ts'
import type { Parts } from './parts.ts'

export type Engine = Awaited<ReturnType<typeof startEngine>>

const checkout = join(import.meta.dirname, '../..')
const startDeadlineMs = 60_000
const stopDeadlineMs = 30_000
const maxBuildCache = '4GB'

/**
 * Starts Docker Engine in the namespaces of this process. Its images are kept in `data`; containers, volumes and
 * networks of a test that was killed are removed.
 */
export async function startEngine(parts: Parts, data: string) {
  await mkdir(runFolder, { recursive: true, mode: 0o700 })
  await useNetwork()
  const plugins = join(runFolder, 'cli/cli-plugins')
  await mkdir(plugins, { recursive: true })
  await symlink(parts.compose, join(plugins, 'docker-compose'))
  const buildx = join(parts.engine, 'usr/libexec/docker/cli-plugins/docker-buildx')
  await symlink(buildx, join(plugins, 'docker-buildx'))

  const folders = ['usr/sbin', 'usr/bin'].map((name) => join(parts.engine, name))
  const PATH = [...folders, process.env.PATH].join(':')
  const libraries = join(parts.engine, 'usr/lib/x86_64-linux-gnu')
  const socket = `unix://${join(runFolder, 'docker.sock')}`
  const log = openSync(join(runFolder, 'engine.log'), 'w')
  const args = [
    ...['--host', socket, '--data-root', data, '--exec-root', join(runFolder, 'exec')],
    ...['--pidfile', join(runFolder, 'docker.pid'), '--cgroup-parent', `/${cgroup}`],
  ]
  const [file, fileArgs] = tied('dockerd', args)
  const env = { ...process.env, PATH }
  const daemon: ChildProcess = spawn(file, fileArgs, {
    stdio: ['ignore', log, log],
    env: { ...env, LD_LIBRARY_PATH: libraries, XTABLES_LIBDIR: join(libraries, 'xtables') },
  })

  const client = {
    PATH,
    DOCKER_HOST: socket,
    DOCKER_CONFIG: join(runFolder, 'cli'),
    // Debian's builder is older than what Docker Compose would hand its builds to.
    COMPOSE_BAKE: 'false',
  }
  const docker = async (...words: string[]) =>
    (await run('docker', words, { cwd: checkout, env: client })).trim()
  const version = await waitFor(
    'Docker Engine',
    () => docker('version', '--format', '{{.Server.Version}}'),
    startDeadlineMs,
  )

  async function removeAll(): Promise<void> {
    const containers = await docker('ps', '--all', '--quiet')
    if (containers) await docker('rm', '--force', '--volumes', ...containers.split('\n'))
    await docker('network', 'prune', '--force')
    await docker('volume', 'prune', '--all', '--force')
  }
  await removeAll()

  return {
    version,
    docker,
    /** With which the programs of Docker find this engine. */
    client,
    async close(): Promise<void> {
      await removeAll()
      await docker('image', 'prune', '--force')
      await docker('builder', 'prune', '--force', '--keep-storage', maxBuildCache)
      daemon.kill('SIGTERM')
      const stopped = once(daemon, 'exit', { signal: AbortSignal.timeout(stopDeadlineMs) })
      await stopped.catch(() => daemon.kill('SIGKILL'))
    },
  }
}
