import { Client } from 'pg'
import type { Database } from '../../prisma/databases.ts'
import { databaseUrl, type Stack } from '../../scripts/stack/client.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'

type Shop = Pick<Stack, 'ports' | 'secrets'>

/** Uses a database of a shop, as its service does or as the superuser. */
export async function withDatabase<T>(
  shop: Shop,
  database: Database,
  use: (client: Client) => Promise<T>,
  role?: 'postgres',
): Promise<T> {
  const client = new Client({ connectionString: databaseUrl(shop, database, role) })
  // A server that ends the connection is reported here; a query fails on its own.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

/** Waits until no purchase of a shop is unfinished. */
export function untilEnded(shop: Shop, deadlineMs: number): Promise<boolean> {
  return withDatabase(shop, 'purchase', (client) =>
    waitFor(
      'every accepted purchase to end',
      async () => {
        const { rowCount } = await client.query(
          "SELECT 1 FROM purchases WHERE status IN ('ACCEPTED', 'PROCESSING') LIMIT 1",
        )
        return rowCount === 0
      },
      deadlineMs,
    ),
  )
}
