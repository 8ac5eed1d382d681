import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import type pg from 'pg'
import type { StackInfo } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import {
  createCluster,
  createDatabases,
  install as installServer,
  serviceDatabases,
} from '../engines/postgres.ts'
import type { Log } from '../log.ts'
import { clusterDir } from '../profile.ts'
import { isStandby, makeStandby } from './base-backup.ts'
import { pointPoolerAt, poolerSpec, temporalDatabases } from './pgbouncer.ts'
import { findPgbouncer } from './pgbouncer-program.ts'
import { loadClusterSecrets } from './secrets.ts'
import { onServer, primaryAndStandby, replicationRole, startOf } from './servers.ts'

export async function install(log: Log): Promise<void> {
  await Promise.all([installServer(), findPgbouncer(log)])
}

/** The primary, which the standby is made of. */
export async function prepare(stack: StackInfo, _log: Log): Promise<ProcessSpec[]> {
  await mkdir(clusterDir(stack.dataDir), { recursive: true })
  const { primary } = await primaryAndStandby(stack)
  if (!existsSync(primary.dir)) await createCluster(primary.dir, stack.secrets.postgres.postgres)
  return [await startOf(stack, primary)]
}

async function createReplicator(connection: pg.Client, password: string): Promise<void> {
  const { rows } = await connection.query('select from pg_roles where rolname = $1', [
    replicationRole,
  ])
  if (rows.length > 0) return
  const secret = connection.escapeLiteral(password)
  await connection.query(`create role ${replicationRole} replication login password ${secret}`)
}

/** The databases of the services and of Temporal. */
export async function setUp(stack: StackInfo): Promise<void> {
  const { primary } = await primaryAndStandby(stack)
  const secrets = await loadClusterSecrets(stack.dataDir)
  await onServer(stack, primary, async (connection) => {
    // A launcher that was killed while it promoted.
    const { rows } = await connection.query('select pg_is_in_recovery() as standby')
    if (rows[0].standby) await connection.query('select pg_promote(true, 30)')
    await createDatabases(connection, [
      ...serviceDatabases(stack.secrets),
      { role: 'temporal', password: secrets.temporal, databases: temporalDatabases },
    ])
    await createReplicator(connection, secrets.replicator)
  })
}

/** The standby, and the pooler that leads clients to the primary. */
export async function prepareNext(stack: StackInfo, log: Log): Promise<ProcessSpec[]> {
  const { primary, standby } = await primaryAndStandby(stack)
  if (!isStandby(standby)) {
    log(`${standby.name}: copying ${primary.name}`)
    await makeStandby(stack, primary, standby)
  }
  await pointPoolerAt(stack, primary.port)
  return [await startOf(stack, standby), await poolerSpec(stack, log)]
}
