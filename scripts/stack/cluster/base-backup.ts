import { existsSync } from 'node:fs'
import { chown, copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StackInfo } from '../client.ts'
import { unprivilegedUser } from '../engines/postgres.ts'
import { onServer, type Server, slot } from './servers.ts'

/** What a server makes anew, or has only while it runs; the same that pg_basebackup leaves out. */
const emptied = new Set([
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
])
const left =
  /^(postmaster\.(pid|opts)|standby\.signal|backup_label(\.old)?|pgsql_tmp.*|pg_internal\.init.*)$/

type Owner = { uid?: number; gid?: number }

async function own(path: string, { uid, gid }: Owner): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid)
}

/** A file that goes while the server runs belongs to something that was dropped. */
async function copyThere(from: string, to: string, owner: Owner): Promise<void> {
  try {
    await copyFile(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  await own(to, owner)
}

async function copyFolder(from: string, to: string, owner: Owner): Promise<void> {
  await mkdir(to, { mode: 0o700 })
  await own(to, owner)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const target = join(to, entry.name)
    if (left.test(entry.name)) continue
    if (emptied.has(entry.name)) {
      await mkdir(target, { mode: 0o700 })
      await own(target, owner)
    } else if (entry.isDirectory()) await copyFolder(join(from, entry.name), target, owner)
    else await copyThere(join(from, entry.name), target, owner)
  }
}

/** Makes a standby of a running primary, in place of what the folder held. */
export async function makeStandby(
  stack: StackInfo,
  primary: Server,
  standby: Server,
): Promise<void> {
  const owner = await unprivilegedUser()
  const fresh = `${standby.dir}.tmp`
  await rm(fresh, { recursive: true, force: true })
  await onServer(stack, primary, async (connection) => {
    // The log from here on is kept until the standby has it.
    await connection.query(
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1`,
      [slot],
    )
    await connection.query('select pg_create_physical_replication_slot($1, true)', [slot])
    await connection.query(`select pg_backup_start('standby', true)`)
    await copyFolder(primary.dir, fresh, owner)
    await mkdir(join(fresh, 'pg_wal/archive_status'), { mode: 0o700 })
    await own(join(fresh, 'pg_wal/archive_status'), owner)
    const { rows } = await connection.query('select labelfile from pg_backup_stop(false)')
    for (const [name, text] of [
      ['backup_label', rows[0].labelfile],
      ['standby.signal', ''],
    ]) {
      await writeFile(join(fresh, name), text, { mode: 0o600 })
      await own(join(fresh, name), owner)
    }
  })
  await rm(standby.dir, { recursive: true, force: true })
  await rename(fresh, standby.dir)
}

/** Whether a folder has the data of a standby. Those of a former primary are not: it may have gone another way. */
export function isStandby({ dir }: Server): boolean {
  return existsSync(join(dir, 'standby.signal'))
}
