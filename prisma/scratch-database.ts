import { randomUUID } from 'node:crypto'
import pg from 'pg'

/** An empty database beside the one that `adminUrl` names. `close` drops it, open connections included. */
export async function createScratchDatabase(adminUrl: string) {
  const name = `scratch_${randomUUID().replaceAll('-', '')}`
  const url = new URL(adminUrl)
  url.pathname = `/${name}`
  await execute(adminUrl, `CREATE DATABASE ${name} TEMPLATE template0`)
  return {
    url: url.href,
    close: () => execute(adminUrl, `DROP DATABASE ${name} WITH (FORCE)`),
  }
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
