import { chown, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { databases } from '../../../prisma/databases.ts'
import { type StackInfo, sessionSuffix } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import { unprivilegedUser } from '../engines/postgres.ts'
import { baseEnv } from '../environment.ts'
import type { Log } from '../log.ts'
import { clusterDir } from '../profile.ts'
import { findPgbouncer } from './pgbouncer-program.ts'
import { type ClusterSecrets, loadClusterSecrets } from './secrets.ts'

export const poolerName = 'pgbouncer'
export const temporalDatabases = ['temporal', 'temporal_visibility']

/**
 * What a service's connection is told at its start, where PgBouncer ignores what the client says: it belongs to no
 * client. As in shared/database/prisma.ts.
 */
const statementTimeoutMs = 10_000
/** Connections to PostgreSQL for a service, however many replicas it has. */
const servicePool = 15
/** Enough for every connection that Temporal's processes may open: each has one of its own. */
const temporalPool = 56

/** One line for each name that a client may connect to. */
function databaseLines(port: number): string[] {
  const to = `host=127.0.0.1 port=${port}`
  const services = databases.flatMap((name) => [
    `${name}_db = ${to} pool_size=${servicePool} connect_query='SET statement_timeout = ${statementTimeoutMs}'`,
    `${name}_db${sessionSuffix} = ${to} dbname=${name}_db pool_mode=session`,
  ])
  // Temporal's driver prepares statements without a name, which no pooler can keep apart.
  const temporal = temporalDatabases.map(
    (name) => `${name} = ${to} pool_mode=session pool_size=${temporalPool}`,
  )
  return [...services, ...temporal, `* = ${to}`]
}

/** PgBouncer's settings, with the server that is the primary now. */
export function poolerSettings(listen: number, primary: number, dir: string): string {
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: listen,
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: join(dir, 'users.txt'),
    admin_users: 'postgres',
    pool_mode: 'transaction',
    // As many as a service keeps (shared/database/prisma.ts).
    max_prepared_statements: 200,
    max_client_conn: 800,
    // What a client asks for when it connects, and a connection that is shared cannot have.
    ignore_startup_parameters: 'statement_timeout,extra_float_digits,default_transaction_read_only',
    // So that a server that is back, or a new primary, is noticed soon; by default it is 15 s.
    server_login_retry: 1,
    server_connect_timeout: 3,
    // Shorter than a service waits for an answer.
    query_wait_timeout: 12,
    log_connections: 0,
    log_disconnections: 0,
    log_stats: 0,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  const all = ['[databases]', ...databaseLines(primary), '', '[pgbouncer]', ...lines]
  return `${all.join('\n')}\n`
}

/** Who may connect, with the passwords that PgBouncer also shows to the server. */
function userLines({ postgres }: StackInfo['secrets'], { temporal }: ClusterSecrets): string {
  const users = { ...postgres, temporal }
  return Object.entries(users)
    .map(([name, password]) => `"${name}" "${password}"\n`)
    .join('')
}

const dirOf = (stack: Pick<StackInfo, 'dataDir'>) => join(clusterDir(stack.dataDir), 'pgbouncer')
const settingsFile = (dir: string) => join(dir, 'pgbouncer.ini')

async function writeOwned(file: string, text: string): Promise<void> {
  const { uid, gid } = await unprivilegedUser()
  const fresh = `${file}.tmp`
  await writeFile(fresh, text, { mode: 0o600 })
  if (uid !== undefined && gid !== undefined) await chown(fresh, uid, gid)
  await rename(fresh, file)
}

/** Says which server is the primary. A running PgBouncer reads it when it gets SIGHUP. */
export async function pointPoolerAt(stack: StackInfo, primaryPort: number): Promise<void> {
  const dir = dirOf(stack)
  await mkdir(dir, { recursive: true })
  const secrets = await loadClusterSecrets(stack.dataDir)
  await writeOwned(join(dir, 'users.txt'), userLines(stack.secrets, secrets))
  const settings = poolerSettings(stack.ports.postgres, primaryPort, dir)
  await writeOwned(settingsFile(dir), settings)
}

export async function poolerSpec(stack: StackInfo, log: Log): Promise<ProcessSpec> {
  const { uid } = await unprivilegedUser()
  const { command, args } = await findPgbouncer(log)
  const port = stack.ports.postgres
  return {
    name: poolerName,
    kind: 'engine',
    command,
    args: [...args, settingsFile(dirOf(stack))],
    env: baseEnv(),
    cwd: '/',
    uid,
    ports: [port],
    probe: () => probe(stack),
    // At once: the services, which come first, have ended.
    stopSignal: 'SIGQUIT',
  }
}

/** Asks PgBouncer itself: it is there although no PostgreSQL may be. */
async function probe(stack: StackInfo): Promise<void> {
  const console = new pg.Client({
    host: '127.0.0.1',
    port: stack.ports.postgres,
    user: 'postgres',
    password: stack.secrets.postgres.postgres,
    database: 'pgbouncer',
    connectionTimeoutMillis: 2000,
  })
  console.on('error', () => {})
  try {
    await console.connect()
    await console.query('show version')
  } finally {
    await console.end()
  }
}
