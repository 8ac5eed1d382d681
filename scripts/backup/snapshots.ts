import type pg from 'pg'
import { type Database, databases } from '../../prisma/databases.ts'
import type { StackInfo } from '../stack/client.ts'
import { connectDatabase } from './databases.ts'

/** Requests that write a purchase wait while the lock is waited for and held, and are answered after that. */
const lockTimeoutMs = 2_000
const lockAttempts = 5
const lockNotAvailable = '55P03'

export type Snapshots = {
  takenAt: Date
  /** How long no purchase was accepted, moved or ended. */
  lockedMs: number
  /** The ids by which `pg_dump` reads each snapshot. They are valid until `close`. */
  ids: Record<Database, string>
  /** Reads what the snapshot of media shows. */
  media: pg.Client
  close(): Promise<void>
}

/**
 * Takes a snapshot of every database. Meanwhile purchase_db takes no change, so that its snapshot is older and newer
 * than all others at once (docs/decisions/0032):
 *
 *   - a purchase that another database knows has been accepted before: its row is in the snapshot.
 *   - a purchase that has ended in the snapshot had taken, or undone, every step before the first snapshot.
 *
 * `freezeTemporal` is called under the lock and before the databases: a saga may be older than what it asked for.
 */
export async function takeSnapshots(
  stack: Pick<StackInfo, 'ports' | 'secrets'>,
  freezeTemporal: () => void | Promise<void>,
): Promise<Snapshots> {
  await using opened = new AsyncDisposableStack()
  const open = async (name: Database) => {
    const client = await connectDatabase(stack, `${name}_db`)
    opened.defer(() => client.end())
    return client
  }
  const clients = new Map<Database, pg.Client>()
  for (const name of databases) clients.set(name, await open(name))
  const lock = await open('purchase')

  await lockPurchases(lock)
  const since = performance.now()
  const takenAt = new Date()
  await freezeTemporal()
  const ids = {} as Record<Database, string>
  await Promise.all(
    [...clients].map(async ([name, client]) => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      const { rows } = await client.query('SELECT pg_export_snapshot() AS id')
      ids[name] = rows[0].id
    }),
  )
  await lock.query('COMMIT')
  const lockedMs = performance.now() - since

  const media = clients.get('media')
  if (!media) throw new Error('there is no database of media')
  const kept = opened.move()
  return { takenAt, lockedMs, ids, media, close: () => kept.disposeAsync() }
}

/** No row of `purchases` changes until the transaction ends; reading goes on. */
async function lockPurchases(client: pg.Client): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    await client.query('BEGIN')
    await client.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`)
    try {
      await client.query('LOCK TABLE purchases IN EXCLUSIVE MODE')
      return
    } catch (error) {
      await client.query('ROLLBACK')
      const isTaken = (error as { code?: string }).code === lockNotAvailable
      if (!isTaken || attempt === lockAttempts) throw error
    }
  }
}
