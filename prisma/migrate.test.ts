import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { type Database, databases } from './databases.ts'
import {
  applyMigrations,
  type Migration,
  migrate,
  pendingMigrations,
  readMigrations,
  schemaDiff,
} from './migrate.ts'
import { databaseDiff, openSchemaEngine } from './schema-engine.ts'
import { createScratchDatabase } from './scratch-database.ts'

const adminUrl = process.env.TEST_POSTGRES_URL ?? ''
const noFilters = { externalTables: [], externalEnums: [] }

describe('migrations', () => {
  let url: string
  let close: () => Promise<void>

  beforeEach(async () => {
    assert.ok(adminUrl, 'TEST_POSTGRES_URL must name a role that may create databases')
    const scratch = await createScratchDatabase(adminUrl)
    url = scratch.url
    close = scratch.close
  })

  afterEach(() => close?.())

  for (const db of databases) {
    it(`of ${db} lead to its schema.prisma`, async () => {
      assert.equal(await schemaDiff(db, adminUrl), null)
    })

    it(`of ${db} are recorded as Prisma's own engine records them`, async () => {
      await migrate(db, url)

      const ours = await recorded(url)

      const applied = await withEngine(db, url, async (engine, migrationsList) => {
        const { history, ...problems } = await engine.diagnoseMigrationHistory({
          migrationsList,
          optInToShadowDatabase: false,
          filters: noFilters,
        })
        assert.equal(history, null)
        assert.deepEqual(problems, {
          editedMigrationNames: [],
          failedMigrationNames: [],
          hasMigrationsTable: true,
        })
        return engine.applyMigrations({ migrationsList, filters: noFilters })
      })
      assert.deepEqual(applied.appliedMigrationNames, [])

      const other = await createScratchDatabase(adminUrl)
      try {
        await withEngine(db, other.url, (engine, migrationsList) =>
          engine.applyMigrations({ migrationsList, filters: noFilters }),
        )
        assert.deepEqual(ours, await recorded(other.url))
        assert.deepEqual(await migrate(db, other.url), [])
      } finally {
        await other.close()
      }
    })
  }

  it('notice a schema that has moved on', async () => {
    await migrate('media', url)
    const schema = await readSchema('media')

    const sql = await databaseDiff(url, schema.replace('width       Int?', 'width       Int'))

    assert.match(sql ?? '', /ALTER COLUMN "width" SET NOT NULL/)
  })

  it('apply once', async () => {
    const first = await migrate('order', url)
    const second = await migrate('order', url)

    assert.deepEqual(
      first,
      (await readMigrations('order')).map(({ name }) => name),
    )
    assert.deepEqual(second, [])
  })

  it('apply once when two start together', async () => {
    const runs = await Promise.all([migrate('order', url), migrate('order', url)])

    assert.deepEqual(
      runs.flat(),
      (await readMigrations('order')).map(({ name }) => name),
    )
  })

  it('refuse a changed migration and apply nothing', async () => {
    await applyMigrations(url, [table('1_first')])

    const changed = { name: '1_first', sql: 'CREATE TABLE other ()' }

    await assert.rejects(applyMigrations(url, [changed, table('2_second')]), {
      name: 'MigrationError',
      message: /^1_first was changed after it was applied/,
    })
    assert.deepEqual(await recordedNames(url), ['1_first'])
  })

  it('refuse to go on after a migration that failed under another tool', async () => {
    await applyMigrations(url, [table('1_first')])
    await query(url, 'UPDATE _prisma_migrations SET finished_at = NULL')

    await assert.rejects(applyMigrations(url, [table('1_first'), table('2_second')]), {
      name: 'MigrationError',
      message: /^1_first failed earlier/,
    })
  })

  it('leave nothing of one that fails, and keep those before it', async () => {
    const broken = { name: '2_second', sql: 'CREATE TABLE half (); SELECT 1 / 0' }

    await assert.rejects(applyMigrations(url, [table('1_first'), broken]), {
      name: 'MigrationError',
      message: '2_second failed and was rolled back: division by zero',
    })

    assert.deepEqual(await recordedNames(url), ['1_first'])
    assert.deepEqual(await query(url, "SELECT to_regclass('half') AS half"), [{ half: null }])
    assert.deepEqual(await applyMigrations(url, [table('1_first'), table('2_second')]), [
      '2_second',
    ])
  })

  it('fail with a reason when the server ends, and can be run again', async () => {
    const killed = { name: '1_first', sql: 'SELECT pg_terminate_backend(pg_backend_pid())' }

    await assert.rejects(applyMigrations(url, [killed]), {
      name: 'MigrationError',
      message: /^1_first failed and was rolled back: terminating connection/,
    })

    assert.deepEqual(await applyMigrations(url, [table('1_first')]), ['1_first'])
  })

  it('go on after a failed one was marked as rolled back', async () => {
    await applyMigrations(url, [table('1_first')])
    await query(url, 'UPDATE _prisma_migrations SET finished_at = NULL, rolled_back_at = now()')
    await query(url, 'DROP TABLE "1_first"')

    assert.deepEqual(await applyMigrations(url, [table('1_first')]), ['1_first'])
  })

  it('do not mind one that only the database knows', async () => {
    await applyMigrations(url, [table('1_first'), table('2_second')])

    assert.deepEqual(await applyMigrations(url, [table('1_first')]), [])
  })

  it('are all pending in a new database, which a look does not touch', async () => {
    const pending = await pendingMigrations(url, [table('1_first')])

    assert.deepEqual(pending, ['1_first'])
    const tables = await query(url, "SELECT to_regclass('_prisma_migrations') AS found")
    assert.deepEqual(tables, [{ found: null }])
  })
})

function table(name: string): Migration {
  return { name, sql: `CREATE TABLE "${name}" ()` }
}

async function readSchema(db: Database): Promise<string> {
  return readFile(path.join(import.meta.dirname, db, 'schema.prisma'), 'utf8')
}

type Engine = Awaited<ReturnType<typeof openSchemaEngine>>['engine']
type MigrationList = Parameters<Engine['applyMigrations']>[0]['migrationsList']

/** Hands the engine the migrations as the Prisma CLI would. */
async function withEngine<T>(
  db: Database,
  url: string,
  use: (engine: Engine, migrationsList: MigrationList) => Promise<T>,
): Promise<T> {
  const migrations = await readMigrations(db)
  const { engine, close } = await openSchemaEngine(url, await readSchema(db))
  try {
    return await use(engine, {
      baseDir: path.join(import.meta.dirname, db, 'migrations'),
      lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"' },
      shadowDbInitScript: '',
      migrationDirectories: migrations.map(({ name, sql }) => ({
        path: name,
        migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
      })),
    })
  } finally {
    await close()
  }
}

/** Everything of the table and its rows that does not differ from run to run. */
async function recorded(url: string) {
  return {
    columns: await query(
      url,
      `SELECT column_name, data_type, character_maximum_length, is_nullable, column_default
       FROM information_schema.columns WHERE table_name = '_prisma_migrations' ORDER BY ordinal_position`,
    ),
    rows: await query(
      url,
      `SELECT migration_name, checksum, logs, rolled_back_at, applied_steps_count,
              length(id) AS id_length, finished_at >= started_at AS finished
       FROM _prisma_migrations ORDER BY started_at`,
    ),
  }
}

async function recordedNames(url: string): Promise<string[]> {
  const rows = await query<{ migration_name: string }>(
    url,
    'SELECT migration_name FROM _prisma_migrations ORDER BY started_at',
  )
  return rows.map((row) => row.migration_name)
}

async function query<T extends pg.QueryResultRow>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<T>(sql)).rows
  } finally {
    await client.end()
  }
}
