import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import { databaseUrl, type StackInfo, sessionUrl, stackUrls } from '../client.ts'
import { freeOffset, resolvePorts } from '../ports.ts'
import { loadSecrets } from '../secrets.ts'
import { createSupervisor } from '../supervisor.ts'
import * as postgres from './postgres.ts'
import { createReplication, type Replication } from './replication.ts'
import { onServer, primaryAndStandby, readRoles } from './servers.ts'

const quiet = () => {}

/** Two PostgreSQL servers and the pooler, without the rest of a stack. */
async function startServers() {
  await using starting = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-servers-'))
  starting.defer(() => rm(dataDir, { recursive: true, force: true }))
  const { offset, lock } = await freeOffset('cluster')
  starting.defer(() => lock.release())
  const ports = resolvePorts(offset, {})
  const stack: StackInfo = {
    dataDir,
    ports,
    urls: stackUrls(ports, 'cluster'),
    secrets: await loadSecrets(dataDir),
    profile: 'cluster',
  }
  await postgres.install(quiet)
  const supervisor = createSupervisor(dataDir, quiet)
  starting.defer(() => supervisor.stopAll())
  for (const spec of await postgres.prepare(stack, quiet)) await supervisor.add(spec)
  await postgres.setUp(stack)
  const next = await postgres.prepareNext(stack, quiet)
  await Promise.all(next.map((spec) => supervisor.add(spec)))
  const replication = createReplication(stack, supervisor, quiet)
  starting.defer(() => replication.close())
  const open = starting.move()
  return { stack, supervisor, replication, close: () => open.disposeAsync() }
}

describe('two PostgreSQL servers', function () {
  this.timeout(360_000)

  let stack: StackInfo
  let supervisor: ReturnType<typeof createSupervisor>
  let replication: Replication
  let close: () => Promise<void>
  let pool: pg.Pool

  before(async () => {
    ;({ stack, supervisor, replication, close } = await startServers())
    pool = new pg.Pool({
      connectionString: databaseUrl(stack, 'order'),
      max: 4,
      // The same that services ask for.
      statement_timeout: 10_000,
      query_timeout: 15_000,
    })
    pool.on('error', quiet)
    await pool.query('create table notes (id int primary key, text text)')
  })

  after(async () => {
    await pool?.end()
    await close?.()
  })

  const untilSynchronous = () =>
    waitFor(
      'the standby to have everything',
      async () => (await readRoles(stack.dataDir)).synchronous,
      180_000,
    )

  async function kill(name: string): Promise<void> {
    supervisor.signal(name, 'SIGKILL')
    await supervisor.stop(name)
  }

  const insert = (id: number) => ({
    name: 'insert',
    text: 'insert into notes values ($1)',
    values: [id],
  })

  async function has(id: number): Promise<boolean> {
    const { rows } = await pool.query({
      name: 'find',
      text: 'select from notes where id = $1',
      values: [id],
    })
    return rows.length > 0
  }

  it('acknowledge what both have', async () => {
    await untilSynchronous()
    const { standby } = await primaryAndStandby(stack)

    // How far the log is with this row: what the primary writes after it, nobody may wait for.
    const { rows } = await pool.query(
      'insert into notes values (1) returning pg_current_wal_insert_lsn()::text as lsn',
    )
    const there = await onServer(stack, standby, async (it) => {
      const found = await it.query('select pg_last_wal_receive_lsn() >= $1::pg_lsn as there', [
        rows[0].lsn,
      ])
      return found.rows[0].there
    })
    assert.equal(there, true)
  })

  it('let transactions of many clients share connections, with statements that each has prepared', async () => {
    const clients = Array.from(
      { length: 40 },
      () => new pg.Client({ connectionString: databaseUrl(stack, 'order') }),
    )
    await Promise.all(clients.map((client) => client.connect()))
    const asked = clients.map(async (client, index) => {
      const values = [index]
      // Two texts under one name: each client means its own.
      const text = index % 2 === 0 ? 'select $1::int as it' : 'select $1::int + 100 as it'
      const answers = []
      for (let round = 0; round < 5; round++) {
        answers.push((await client.query({ name: 's0', text, values })).rows[0].it)
      }
      return answers.every((it) => it === (index % 2 === 0 ? index : index + 100))
    })

    assert.ok((await Promise.all(asked)).every(Boolean))

    const { rows } = await pool.query(
      `select count(*)::int as count from pg_stat_activity where usename = 'order'`,
    )
    assert.ok(rows[0].count <= 15, `${rows[0].count} connections`)
    await Promise.all(clients.map((client) => client.end()))
  })

  it('end a statement that takes too long, though the pooler ignores what a client asks for', async () => {
    const { rows } = await pool.query('show statement_timeout')

    assert.equal(rows[0].statement_timeout, '10s')
  })

  it('give a migration a session of its own', async () => {
    const session = new pg.Client({ connectionString: sessionUrl(stack, 'order') })
    await session.connect()
    await session.query('select pg_advisory_lock(1)')

    const { rows } = await session.query('select pg_advisory_unlock(1) as mine')

    assert.equal(rows[0].mine, true)
    assert.equal((await session.query('show statement_timeout')).rows[0].statement_timeout, '0')
    await session.end()
  })

  it('go on without a standby that is gone, which then is not promoted', async () => {
    await untilSynchronous()
    const { standby } = await primaryAndStandby(stack)
    await kill(standby.name)

    await pool.query(insert(2))

    await assert.rejects(replication.promote(), /may lack/)
    await supervisor.start(standby.name)
    await untilSynchronous()
    await replication.promote()
    assert.ok(await waitFor('the new primary', () => has(2), 90_000))
  })

  it('lose nothing that was acknowledged when the primary is gone', async () => {
    await untilSynchronous()
    const { primary } = await primaryAndStandby(stack)
    let next = 1_000
    const acknowledged: number[] = []
    let writing = true
    const writer = (async () => {
      while (writing) {
        const id = next++
        await pool.query(insert(id)).then(
          () => acknowledged.push(id),
          () => undefined,
        )
      }
    })()
    await waitFor('some rows', () => acknowledged.length > 50, 90_000)

    await kill(primary.name)
    await replication.promote()
    const before = acknowledged.length
    await waitFor('rows on the new primary', () => acknowledged.length > before + 50, 90_000)
    writing = false
    await writer

    const { rows } = await pool.query('select id from notes where id = any($1)', [acknowledged])
    assert.equal(rows.length, acknowledged.length)
    await untilSynchronous()
  })
})
