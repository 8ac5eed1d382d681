import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import type { Log } from '../log.ts'

const lookEveryMs = 500
/** Commits wait this long for a standby that is gone before the primary goes on alone. */
const patienceMs = 3_000
/** A standby that lacks more than this would hold up every commit. */
const nearBytes = 16 * 1_048_576
const catchUpMs = 10_000

type Seen = { names: string; streaming: boolean; near: boolean; synchronous: boolean }

async function see(connection: pg.Client): Promise<Seen> {
  const { rows } = await connection.query<Seen>(
    `select current_setting('synchronous_standby_names') as names,
       count(*) > 0 as streaming,
       coalesce(bool_or(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), flush_lsn) < $1), false) as near,
       coalesce(bool_or(sync_state in ('sync', 'quorum')), false) as synchronous
     from pg_stat_replication where state = 'streaming'`,
    [nearBytes],
  )
  const [seen] = rows
  if (!seen) throw new Error('PostgreSQL does not say who follows it')
  return seen
}

/** For which standbys commits wait: any, or none. */
export async function setNames(connection: pg.Client, names: '' | '*'): Promise<void> {
  await connection.query(`alter system set synchronous_standby_names = '${names}'`)
  await connection.query('select pg_reload_conf()')
}

/** Resolves when the standby has all that was written until now, also what did not wait for it. */
async function caughtUp(connection: pg.Client): Promise<void> {
  // Whatever did not wait was on the disk of the primary before.
  const { rows } = await connection.query('select pg_current_wal_flush_lsn() as lsn')
  const { lsn } = rows[0]
  await waitFor(
    'the standby to have everything',
    async () => {
      const found = await connection.query(
        `select from pg_stat_replication where sync_state in ('sync', 'quorum') and flush_lsn >= $1`,
        [lsn],
      )
      return found.rows.length > 0
    },
    catchUpMs,
  )
}

type Watched = {
  /** A connection of the superuser to the primary. */
  connect(): Promise<pg.Client>
  /** Whether the standby has all that was acknowledged, as it was last recorded. */
  isComplete(): Promise<boolean>
  /** Called before the primary goes on alone, so that the record never promises too much. */
  setComplete(complete: boolean): Promise<void>
  /** Called after each look at a primary that answers. */
  looked?(): Promise<void>
  log: Log
}

/**
 * Has commits wait for the standby while it follows. When it is gone, the primary goes on alone after a moment, and the
 * standby counts as complete again only when it has everything.
 */
export function watchStandby({ connect, isComplete, setComplete, looked, log }: Watched) {
  let connection: pg.Client | undefined
  let goneSince: number | undefined
  let closed = false
  let turn: Promise<unknown> = Promise.resolve()

  /** One look or other work after another. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = turn.then(work)
    turn = done.catch(() => {})
    return done
  }

  async function disconnect(): Promise<void> {
    const old = connection
    connection = undefined
    await old?.end().catch(() => {})
  }

  async function look(): Promise<void> {
    connection ??= await connect()
    const primary = connection
    const seen = await see(primary)
    if (seen.streaming) {
      goneSince = undefined
      if (seen.names === '' && seen.near) await setNames(primary, '*')
      if (seen.names !== '' && seen.synchronous && !(await isComplete())) {
        await caughtUp(primary)
        await setComplete(true)
        log('the standby has everything: commits wait for it')
      }
      return
    }
    goneSince ??= Date.now()
    if (seen.names === '' || Date.now() - goneSince < patienceMs) return
    await setComplete(false)
    await setNames(primary, '')
    log('the standby is gone: PostgreSQL goes on without it')
  }

  const looking = (async () => {
    while (!closed) {
      // A primary that does not answer is asked again, and nothing is concluded from it.
      await inTurn(look).then(looked).catch(disconnect)
      await sleep(lookEveryMs)
    }
  })()

  return {
    inTurn,
    /** The next look connects again: to another primary, if there is one. */
    disconnect,
    async close(): Promise<void> {
      closed = true
      await looking
      await disconnect()
    },
  }
}
