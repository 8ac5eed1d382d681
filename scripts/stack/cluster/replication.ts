import { rename, rm } from 'node:fs/promises'
import type { StackInfo } from '../client.ts'
import { superuser } from '../engines/postgres.ts'
import type { Log } from '../log.ts'
import type { createSupervisor } from '../supervisor.ts'
import { makeStandby } from './base-backup.ts'
import { pointPoolerAt, poolerName } from './pgbouncer.ts'
import { onServer, primaryAndStandby, readRoles, writeRoles } from './servers.ts'
import { setNames, watchStandby } from './standby-watch.ts'

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
  let closed = false

  const watch = watchStandby({
    log,
    async connect() {
      const { primary } = await primaryAndStandby(stack)
      const connection = superuser(stack, primary.port)
      await connection.connect()
      return connection
    },
    isComplete: async () => (await readRoles(stack.dataDir)).synchronous,
    async setComplete(synchronous) {
      await writeRoles(stack.dataDir, { ...(await readRoles(stack.dataDir)), synchronous })
    },
  })

  async function promote(): Promise<void> {
    const { primary, standby } = await primaryAndStandby(stack)
    const { synchronous } = await readRoles(stack.dataDir)
    if (!synchronous) {
      throw new Error(`${standby.name} may lack what was acknowledged: start ${primary.name}`)
    }
    await watch.disconnect()
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
    promote: () => watch.inTurn(promote),
    close(): Promise<void> {
      closed = true
      return watch.close()
    },
  }
}

export type Replication = ReturnType<typeof createReplication>
