import { rename, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import type { StackInfo } from '../client.ts'
import { superuser } from '../engines/postgres.ts'
import type { Log } from '../log.ts'
import type { createSupervisor } from '../supervisor.ts'
import { makeStandby } from './base-backup.ts'
import { pointPoolerAt, poolerName } from './pgbouncer.ts'
import { onServer, primaryAndStandby, readRoles, writeRoles } from './servers.ts'

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

async function setNames(connection: pg.Client, names: '' | '*'): Promise<void> {
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

/**
 * Keeps two PostgreSQL servers alike. While the standby follows, a commit is acknowledged when both have it. When the
 * standby is gone, the primary goes on alone after a moment, and the standby can be promoted again only when it has
 * everything.
 */
export function createReplication(
  stack: StackInfo,
  supervisor: Pick<ReturnType<typeof createSupervisor>, 'stop' | 'start' | 'signal'>,
  log: Log,
) {
  let connection: pg.Client | undefined
  let goneSince: number | undefined
  let closed = false
  let turn: Promise<unknown> = Promise.resolve()

  /** One look or promotion after another. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = turn.then(work)
    turn = done.catch(() => {})
    return done
  }

  async function connected(): Promise<pg.Client> {
    if (connection) return connection
    const { primary } = await primaryAndStandby(stack)
    const fresh = superuser(stack, primary.port)
    await fresh.connect()
    connection = fresh
    return fresh
  }

  async function disconnect(): Promise<void> {
    const old = connection
    connection = undefined
    await old?.end().catch(() => {})
  }

  async function look(): Promise<void> {
    const primary = await connected()
    const seen = await see(primary)
    const roles = await readRoles(stack.dataDir)
    if (seen.streaming) {
      goneSince = undefined
      if (seen.names === '' && seen.near) await setNames(primary, '*')
      if (seen.names !== '' && seen.synchronous && !roles.synchronous) {
        await caughtUp(primary)
        await writeRoles(stack.dataDir, { ...roles, synchronous: true })
        log('the standby has everything: commits wait for it')
      }
      return
    }
    goneSince ??= Date.now()
    if (seen.names === '' || Date.now() - goneSince < patienceMs) return
    await writeRoles(stack.dataDir, { ...roles, synchronous: false })
    await setNames(primary, '')
    log('the standby is gone: PostgreSQL goes on without it')
  }

  const looking = (async () => {
    while (!closed) {
      // A primary that does not answer is asked again, and nothing is concluded from it.
      await inTurn(look).catch(disconnect)
      await sleep(lookEveryMs)
    }
  })()

  async function promote(): Promise<void> {
    const { primary, standby } = await primaryAndStandby(stack)
    const { synchronous } = await readRoles(stack.dataDir)
    if (!synchronous) {
      throw new Error(`${standby.name} may lack what was acknowledged: start ${primary.name}`)
    }
    await disconnect()
    // From here on the former primary can neither take a write nor be started by anyone.
    await supervisor.stop(primary.name)
    const former = `${primary.dir}.former`
    await rm(former, { recursive: true, force: true })
    await rename(primary.dir, former)
    // Before the promotion: a first commit would wait for a standby that is not there yet.
    await onServer(stack, standby, (it) => setNames(it, ''))
    await writeRoles(stack.dataDir, { primary: standby.number, synchronous: false })
    await onServer(stack, standby, (it) => it.query('select pg_promote(true, 30)'))
    await pointPoolerAt(stack, standby.port)
    supervisor.signal(poolerName, 'SIGHUP')
    log(`${standby.name} is the primary`)
    void rebuild().catch((error: Error) => log(`${primary.name}: ${error.message}`))
  }

  /** The former primary comes back as the standby of the new one. */
  async function rebuild(): Promise<void> {
    const { primary, standby } = await primaryAndStandby(stack)
    await makeStandby(stack, primary, standby)
    await rm(`${standby.dir}.former`, { recursive: true, force: true })
    if (closed) return
    await supervisor.start(standby.name)
    log(`${standby.name} follows ${primary.name}`)
  }

  return {
    promote: () => inTurn(promote),
    async close(): Promise<void> {
      closed = true
      await looking
      await disconnect()
    },
  }
}

export type Replication = ReturnType<typeof createReplication>
