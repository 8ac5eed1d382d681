// `node prisma/migrate.ts deploy|status|diff [db ...]`, with <DB>_DATABASE_URL in the environment.
//
// Does what `prisma migrate deploy` does without the engine that the Prisma CLI downloads: the same
// folders, table, checksums and lock, so that either tool can go on where the other stopped.
import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { type Database, databases } from './databases.ts'
import { createScratchDatabase } from './scratch-database.ts'

// The key that Prisma's engine locks, so that the two tools wait for each other too.
const lockKey = 72707369

const migrationsTable = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
  )`

export interface Migration {
  name: string
  sql: string
}

interface AppliedMigration {
  migration_name: string
  checksum: string
  finished_at: Date | null
}

export class MigrationError extends Error {
  override name = 'MigrationError'
}

/** Brings one database up to date and returns the names of the migrations that it applied. */
export async function migrate(db: Database, url: string): Promise<string[]> {
  return applyMigrations(url, await readMigrations(db))
}

/** Brings all databases up to date, side by side. */
export async function migrateAll(urlFor: (db: Database) => string): Promise<void> {
  await Promise.all(databases.map((db) => migrate(db, urlFor(db))))
}

/** The SQL that leads from the migrations of a database to its schema.prisma; null when they agree. */
export async function schemaDiff(db: Database, adminUrl: string): Promise<string | null> {
  // Imported here because a production install does not have the schema engine.
  const { databaseDiff } = await import('./schema-engine.ts')
  const schema = await readFile(path.join(import.meta.dirname, db, 'schema.prisma'), 'utf8')
  const scratch = await createScratchDatabase(adminUrl)
  try {
    await migrate(db, scratch.url)
    return await databaseDiff(scratch.url, schema)
  } finally {
    await scratch.close()
  }
}

/** The migrations of a database in the order in which they apply. */
export async function readMigrations(db: Database): Promise<Migration[]> {
  const folder = path.join(import.meta.dirname, db, 'migrations')
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return Promise.all(
    names.sort().map(async (name) => ({
      name,
      sql: await readFile(path.join(folder, name, 'migration.sql'), 'utf8'),
    })),
  )
}

/** Safe to run twice at once: the second waits, and finds nothing left to do. */
export async function applyMigrations(url: string, migrations: Migration[]): Promise<string[]> {
  return withClient(url, async (client) => {
    await client.query("SET lock_timeout = '30s'")
    await client.query('SELECT pg_advisory_lock($1)', [lockKey])
    await client.query(migrationsTable)

    const pending = pendingAfter(await appliedMigrations(client), migrations)
    for (const migration of pending) await apply(client, migration)
    return pending.map((migration) => migration.name)
  })
}

/** The names of the migrations that `applyMigrations` would apply. Changes nothing. */
export async function pendingMigrations(url: string, migrations: Migration[]): Promise<string[]> {
  return withClient(url, async (client) => {
    const { rows } = await client.query("SELECT to_regclass('_prisma_migrations') AS found")
    const applied = rows[0].found ? await appliedMigrations(client) : []
    return pendingAfter(applied, migrations).map((migration) => migration.name)
  })
}

async function apply(client: pg.Client, { name, sql }: Migration): Promise<void> {
  const id = randomUUID()
  await client.query('BEGIN')
  try {
    await client.query(
      'INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES ($1, $2, $3, clock_timestamp())',
      [id, checksum(sql), name],
    )
    await client.query(sql)
    await client.query(
      'UPDATE _prisma_migrations SET applied_steps_count = 1, finished_at = clock_timestamp() WHERE id = $1',
      [id],
    )
    await client.query('COMMIT')
  } catch (error) {
    // On a lost connection this fails too, and the server has rolled back already.
    await client.query('ROLLBACK').catch(() => {})
    throw new MigrationError(`${name} failed and was rolled back: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

async function appliedMigrations(client: pg.Client): Promise<AppliedMigration[]> {
  const { rows } = await client.query<AppliedMigration>(
    'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL',
  )
  return rows
}

// A migration that only the database knows is no error: it is newer than this release.
function pendingAfter(applied: AppliedMigration[], migrations: Migration[]): Migration[] {
  const failed = applied.find((row) => row.finished_at === null)
  if (failed) {
    throw new MigrationError(
      `${failed.migration_name} failed earlier: repair the database, then mark it with "prisma migrate resolve"`,
    )
  }
  const checksums = new Map(applied.map((row) => [row.migration_name, row.checksum]))
  for (const { name, sql } of migrations) {
    const known = checksums.get(name)
    if (known !== undefined && known !== checksum(sql)) {
      throw new MigrationError(
        `${name} was changed after it was applied: restore it and add a new one`,
      )
    }
  }
  return migrations.filter(({ name }) => !checksums.has(name))
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  // A lost connection fails the query in flight; the event would end the process as well.
  client.on('error', () => {})
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

function checksum(sql: string): string {
  return createHash('sha256').update(sql).digest('hex')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Each command prints what it found and returns its exit code. */
const commands: Record<string, (db: Database, url: string) => Promise<number>> = {
  async deploy(db, url) {
    const applied = await migrate(db, url)
    console.log(`${db}: ${applied.length > 0 ? `applied ${applied.join(', ')}` : 'up to date'}`)
    return 0
  },

  async status(db, url) {
    const pending = await pendingMigrations(url, await readMigrations(db))
    console.log(`${db}: ${pending.length > 0 ? `pending ${pending.join(', ')}` : 'up to date'}`)
    return pending.length > 0 ? 1 : 0
  },

  /** For the developer: the SQL that the next migration needs. The role must be able to create databases. */
  async diff(db, url) {
    const sql = await schemaDiff(db, url)
    console.log(sql ? `-- ${db}\n${sql}` : `-- ${db}: migrations and schema agree`)
    return sql ? 2 : 0
  },
}

async function main(command = '', ...names: string[]): Promise<number> {
  const run = commands[command]
  const chosen = databases.filter((db) => names.length === 0 || names.includes(db))
  if (!run || chosen.length < names.length) {
    console.error(`usage: node prisma/migrate.ts deploy|status|diff [${databases.join('|')} ...]`)
    return 1
  }
  const codes = chosen.map(async (db) => {
    const variable = `${db.toUpperCase()}_DATABASE_URL`
    try {
      const url = process.env[variable]
      if (!url) throw new MigrationError(`${variable} is not set`)
      return await run(db, url)
    } catch (error) {
      console.error(`${db}: ${messageOf(error)}`)
      return 1
    }
  })
  return Math.max(...(await Promise.all(codes)))
}

if (import.meta.main) process.exitCode = await main(...process.argv.slice(2))
