import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import type { Database } from '../../prisma/databases.ts'
import { migrate } from '../../prisma/migrate.ts'
import { databaseUrl } from '../../scripts/stack/client.ts'
import { testStack } from './stack.ts'

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

/** A migrated database of its own for one test file, on the test stack's PostgreSQL. */
export async function createTestDatabase(name: Database) {
  const stack = await testStack()
  const admin = databaseUrl(stack, name, 'postgres')
  const database = `test_${name}_${randomBytes(6).toString('hex')}`
  await query(admin, `CREATE DATABASE ${database} OWNER "${name}"`)
  const url = databaseUrl(stack, name).replace(/[^/]+$/, database)
  await migrate(name, url)
  return {
    url,
    /** Reads rows directly, not through the code under test. */
    query: (sql: string) => query(url, sql),
    close: async () => {
      await query(admin, `DROP DATABASE ${database} WITH (FORCE)`)
    },
  }
}

export type TestDatabase = Awaited<ReturnType<typeof createTestDatabase>>
