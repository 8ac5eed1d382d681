import { createHash } from 'node:crypto'
import { cp, glob, mkdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { run } from '../../scripts/stack/run-command.ts'
import type { Engine } from './engine.ts'
import { runFolder } from './enter.ts'
import type { Parts } from './parts.ts'

const checkout = join(import.meta.dirname, '../..')
const standIns = join(import.meta.dirname, 'stand-ins')
const label = 'stand-in'
const markOf = `{{index .Config.Labels "${label}"}}`
const base = 'debian:bookworm-slim'

/** What an image contains besides its folder in stand-ins/, by the name that it has in the Dockerfile. */
type Content = Record<string, string>

/** By the name of the image, without its version. */
function contents(parts: Parts): Record<string, { folder: string; files: Content }> {
  const { temporal, temporalUi: ui } = parts
  return {
    node: { folder: 'node', files: { node: process.execPath, npm: parts.npm } },
    postgres: { folder: 'postgres', files: {} },
    redis: {
      folder: 'redis',
      files: {
        'redis-server': join(parts.redis, 'redis-server'),
        'redisbloom.so': join(parts.redis, 'redisbloom.so'),
      },
    },
    'apache/kafka': { folder: 'kafka', files: { jars: parts.kafka } },
    traefik: { folder: 'traefik', files: { traefik: parts.traefik } },
    'minio/minio': { folder: 'minio', files: { minio: parts.minio } },
    'temporalio/server': {
      folder: 'temporal',
      files: {
        'temporal-server': join(temporal, 'temporal-server'),
        'entrypoint.sh': join(temporal, 'entrypoint.sh'),
      },
    },
    'temporalio/admin-tools': {
      folder: 'temporal-tools',
      files: {
        'temporal-sql-tool': join(temporal, 'temporal-sql-tool'),
        schema: join(temporal, 'schema'),
      },
    },
    'temporalio/ui': {
      folder: 'temporal-ui',
      files: {
        'ui-server': join(ui, 'ui-server'),
        'docker.yaml': join(ui, 'docker.yaml'),
        'start-ui-server.sh': join(ui, 'start-ui-server.sh'),
      },
    },
    'mailhog/mailhog': { folder: 'mailhog', files: { MailHog: parts.mailhog } },
    'obsidiandynamics/kafdrop': { folder: 'kafdrop', files: {} },
    'edoburu/pgbouncer': {
      folder: 'pgbouncer',
      files: {
        program: join(parts.pgbouncer, 'usr/sbin/pgbouncer'),
        libraries: join(parts.pgbouncer, 'usr/lib/x86_64-linux-gnu'),
      },
    },
  }
}

/** The images that the compose files of the shop and the Dockerfile name, without the shop's own. */
export async function pinnedImages(): Promise<string[]> {
  const read = (path: string) => readFile(join(checkout, path), 'utf8')
  const [compose, cluster, dockerfile] = await Promise.all(
    ['docker-compose.yml', 'deploy/cluster/docker-compose.yml', 'Dockerfile'].map(read),
  )
  const named = [
    ...[...`${compose}${cluster}`.matchAll(/^ +image: (\S+)$/gm)].map(([, image = '']) => image),
    ...[...`${dockerfile}`.matchAll(/^FROM (\S+:\S+)/gm)].map(([, image = '']) => image),
  ]
  return [...new Set(named)].filter((image) => !image.startsWith('saga-orchestration:'))
}

/** A mark that changes with anything that an image is made of. */
async function fingerprint(folder: string, files: Content, under: string): Promise<string> {
  const hash = createHash('sha256').update(under)
  const own = await Array.fromAsync(glob('**/*', { cwd: folder, withFileTypes: true }))
  const paths = own.filter((entry) => entry.isFile()).map((e) => join(e.parentPath, e.name))
  for (const path of paths.sort()) hash.update(basename(path)).update(await readFile(path))
  for (const [name, path] of Object.entries(files)) {
    // A folder in the cache is named after its version.
    const info = await stat(path)
    hash.update(`${name} ${info.isFile() ? info.size : path}`)
  }
  return hash.digest('hex').slice(0, 16)
}

/** Makes an image for each that is pinned, unless the engine has it. Throws if one has no stand-in. */
export async function makeImages(engine: Engine, parts: Parts, log: (line: string) => void) {
  const { docker } = engine
  const inspect = (image: string, format: string) =>
    docker('image', 'inspect', '--format', format, image).catch(() => '')

  // A folder in the cache is named after its version.
  const version = basename(dirname(parts.base))
  if ((await inspect(base, markOf)) !== version) {
    const changes = ['CMD ["bash"]', `LABEL ${label}=${version}`].flatMap((it) => ['--change', it])
    await docker('import', ...changes, parts.base, base)
    log(base)
  }

  async function make(image: string, folder: string, files: Content, under: string) {
    const source = join(standIns, folder)
    const mark = await fingerprint(source, files, await inspect(under, '{{.Id}}'))
    if ((await inspect(image, markOf)) === mark) return
    const context = join(runFolder, 'context')
    await cp(source, context, { recursive: true })
    for (const [name, path] of Object.entries(files)) {
      await run('cp', ['-rL', '--reflink=auto', path, join(context, name)])
    }
    await docker('build', '--quiet', '--label', `${label}=${mark}`, '--tag', image, context)
    await rm(context, { recursive: true })
    log(image)
  }

  await mkdir(runFolder, { recursive: true })
  await make('stand-in/engines', 'engines', {}, base)
  const known = contents(parts)
  for (const image of await pinnedImages()) {
    const [name = ''] = image.split(':')
    const content = known[name]
    if (!content) throw new Error(`${image} has no stand-in in test/containers/`)
    const under = name === 'node' || name === 'traefik' ? base : 'stand-in/engines'
    await make(image, content.folder, content.files, under)
  }
}
