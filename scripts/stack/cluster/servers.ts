import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import type { StackInfo } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import { serverSpec, superuser } from '../engines/postgres.ts'
import { clusterDir } from '../profile.ts'
import { replicaName } from '../replicas.ts'
import { serverPorts } from './ports.ts'
import { loadClusterSecrets } from './secrets.ts'

/** One of the two PostgreSQL servers. */
export type Server = { number: number; name: string; dir: string; port: number }

/**
 * Which server is the primary, and whether the standby has all that was acknowledged. Written before either of them
 * changes, so that it never promises too much.
 */
export type Roles = { primary: number; synchronous: boolean }

export const replicationRole = 'replicator'
export const slot = 'standby'

function listServers(stack: Pick<StackInfo, 'dataDir' | 'ports'>): Server[] {
  return serverPorts(stack.ports).map((port, index) => {
    const name = replicaName('postgres', index + 1)
    return { number: index + 1, name, dir: join(clusterDir(stack.dataDir), name), port }
  })
}

const rolesFile = (dataDir: string) => join(clusterDir(dataDir), 'postgres.json')

export async function readRoles(dataDir: string): Promise<Roles> {
  const file = rolesFile(dataDir)
  if (!existsSync(file)) return { primary: 1, synchronous: false }
  return JSON.parse(await readFile(file, 'utf8'))
}

export async function writeRoles(dataDir: string, roles: Roles): Promise<void> {
  const file = rolesFile(dataDir)
  await mkdir(clusterDir(dataDir), { recursive: true })
  await writeFile(`${file}.tmp`, JSON.stringify(roles), { flush: true })
  await rename(`${file}.tmp`, file)
}

export async function primaryAndStandby(
  stack: Pick<StackInfo, 'dataDir' | 'ports'>,
): Promise<{ primary: Server; standby: Server }> {
  const { primary } = await readRoles(stack.dataDir)
  const servers = listServers(stack)
  const find = (wanted: boolean) => {
    const found = servers.find(({ number }) => (number === primary) === wanted)
    if (!found) throw new Error(`there is no server ${primary}`)
    return found
  }
  return { primary: find(true), standby: find(false) }
}

/** Either may be the primary, so each knows where the other is and follows it while it is a standby. */
export async function startOf(stack: StackInfo, server: Server): Promise<ProcessSpec> {
  const other = listServers(stack).find(({ number }) => number !== server.number)
  const { replicator } = await loadClusterSecrets(stack.dataDir)
  return serverSpec(stack, {
    ...server,
    settings: {
      primary_conninfo: `host=127.0.0.1 port=${other?.port} user=${replicationRole} application_name=${server.name}`,
      primary_slot_name: slot,
      wal_retrieve_retry_interval: '500ms',
      // A standby that hangs counts as gone after this time; one that dies at once.
      wal_sender_timeout: '5s',
      wal_receiver_timeout: '5s',
      wal_receiver_status_interval: '1s',
      // A standby that never comes back must not fill the disk.
      max_slot_wal_keep_size: '2GB',
    },
    // By which it connects to the other one.
    env: { PGPASSWORD: replicator },
  })
}

/** Uses a connection of the superuser to one server, past the pooler. */
export async function onServer<T>(
  stack: StackInfo,
  { port }: Server,
  use: (connection: pg.Client) => Promise<T>,
): Promise<T> {
  const connection = superuser(stack, port)
  try {
    await connection.connect()
    return await use(connection)
  } finally {
    await connection.end()
  }
}
