import { join } from 'node:path'
import pg from 'pg'
import type { Database } from '../../prisma/databases.ts'
import { migrate } from '../../prisma/migrate.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { databaseUrl, type StackInfo } from '../stack/client.ts'
import { run } from '../stack/run-command.ts'
import type { PostgresTools } from './postgres-tools.ts'

type Postgres = Pick<StackInfo, 'ports' | 'secrets'>

const swapDeadlineMs = 30_000
const connectTimeoutMs = 5_000

/** A connection of the superuser to a database by its full name. */
export async function connectDatabase(stack: Postgres, database: string): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: stack.ports.postgres,
    user: 'postgres',
    password: stack.secrets.postgres.postgres,
    database,
    connectionTimeoutMillis: connectTimeoutMs,
  })
  // A server that ends an idle connection is noticed by the next query.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** Where `pg_dump` and `pg_restore` find the server; the password is not among the arguments. */
function connection(stack: Postgres, database: string) {
  const { ports, secrets } = stack
  return {
    args: ['--host', '127.0.0.1', '--port', `${ports.postgres}`, '--username', 'postgres'].concat(
      '--dbname',
      database,
    ),
    env: { PGPASSWORD: secrets.postgres.postgres },
  }
}

export const dumpFile = (name: Database) => `${name}.dump`

/** Writes what an exported snapshot shows. */
export async function dumpDatabase(
  stack: Postgres,
  { dump }: PostgresTools,
  { name, snapshot, folder }: { name: Database; snapshot: string; folder: string },
): Promise<void> {
  const { args, env } = connection(stack, `${name}_db`)
  const file = join(folder, dumpFile(name))
  await run(dump, [...args, '--format=custom', `--snapshot=${snapshot}`, '--file', file], { env })
}

const freshName = (name: Database) => `${name}_db_fresh`
const keptName = (name: Database) => `${name}_db_before_restore`

/** Restores a dump into a database beside the one that is in use, and brings its schema up to date. */
export async function restoreBeside(
  stack: Postgres,
  { restore }: PostgresTools,
  { name, file }: { name: Database; file: string },
): Promise<void> {
  const fresh = freshName(name)
  const admin = await connectDatabase(stack, 'postgres')
  try {
    const owner = admin.escapeIdentifier(name)
    await admin.query(`DROP DATABASE IF EXISTS ${fresh} WITH (FORCE)`)
    await admin.query(`CREATE DATABASE ${fresh} OWNER ${owner}`)
    await admin.query(`REVOKE CONNECT ON DATABASE ${fresh} FROM public`)
  } finally {
    await admin.end()
  }
  const { args, env } = connection(stack, fresh)
  const owned = ['--exit-on-error', '--no-owner', '--no-privileges', `--role=${name}`]
  await run(restore, [...args, ...owned, file], { env })
  const url = new URL(databaseUrl(stack, name))
  url.pathname = `/${fresh}`
  await migrate(name, url.href)
}

/**
 * Puts restored databases into use. Those that were in use are kept under another name until the next restore. Nothing
 * may connect to them meanwhile but programs that only read: their connections are ended.
 */
export async function putIntoUse(stack: Postgres, names: readonly Database[]): Promise<void> {
  const admin = await connectDatabase(stack, 'postgres')
  const rename = (from: string, to: string) =>
    waitFor(
      `${from} to be free`,
      async () => {
        await admin.query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1',
          [from],
        )
        await admin.query(`ALTER DATABASE ${from} RENAME TO ${to}`)
        return true
      },
      swapDeadlineMs,
    )
  try {
    for (const name of names) {
      await admin.query(`DROP DATABASE IF EXISTS ${keptName(name)} WITH (FORCE)`)
      await rename(`${name}_db`, keptName(name))
      await rename(freshName(name), `${name}_db`)
    }
  } finally {
    await admin.end()
  }
}

/** Sessions that have ended since the backup, and codes that were used, would be valid again: all of them end. */
export async function endSessions(stack: Postgres): Promise<void> {
  const account = await connectDatabase(stack, freshName('account'))
  try {
    await account.query('UPDATE sessions SET ended_at = now() WHERE ended_at IS NULL')
    await account.query('DELETE FROM mailed_codes')
  } finally {
    await account.end()
  }
}
