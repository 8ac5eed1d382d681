import { type Database, databases } from '../../prisma/databases.ts'
import type { Stack } from '../stack/client.ts'
import type { Log } from '../stack/log.ts'
import { connectNode } from '../stack/set-up/redis-cluster.ts'
import { endSessions, putIntoUse, restoreBeside } from './databases.ts'
import { checkFile, type Manifest, readManifest } from './manifest.ts'
import { putObjects } from './objects.ts'
import { moveBack, skipToEnd } from './positions.ts'
import { findPostgresTools } from './postgres-tools.ts'
import { endOutdatedSagas, replaceTemporal } from './temporal.ts'

/** What can be restored on its own, beside newer parts. */
export const parts = [...databases, 'temporal', 'objects', 'positions'] as const
export type Part = (typeof parts)[number]

export type RestoreOptions = {
  /** One part; without it everything but the positions. */
  only?: Part | undefined
  /** Called when the data is in place and its services do not run yet. */
  onRestored?: () => Promise<void>
}

/** The processes of services that use a part, those of all replicas. */
async function processesOf(stack: Stack, only: Part | undefined): Promise<string[]> {
  const { processes } = await stack.status()
  const services = processes.filter(({ kind }) => kind === 'service').map(({ name }) => name)
  if (only === undefined || only === 'positions') return services
  const user = only === 'temporal' ? 'orchestrator' : only === 'objects' ? undefined : only
  return services.filter((name) => name === user || name.replace(/-\d+$/, '') === user)
}

/** Redis is never the truth: what it has read of a database that was replaced, it reads again. */
async function emptyRedis(stack: Stack): Promise<void> {
  for (const address of stack.urls.redisNodes) {
    const [host = '', port] = address.split(':')
    const node = connectNode(host, Number(port))
    try {
      await node.connect()
      await node.flushall().catch((error: Error) => {
        // A replica follows its master.
        if (!error.message.startsWith('READONLY')) throw error
      })
    } finally {
      node.disconnect()
    }
  }
}

async function restoreDatabases(
  stack: Stack,
  { folder, manifest, log }: { folder: string; manifest: Manifest; log: Log },
  names: readonly Database[],
): Promise<void> {
  const tools = await findPostgresTools(log)
  const files: [Database, string][] = []
  for (const name of names) files.push([name, await checkFile(folder, manifest.databases[name])])
  for (const [name, file] of files) {
    await restoreBeside(stack, tools, { name, file })
    log(`${name} is restored beside the database in use`)
  }
  if (names.includes('account')) await endSessions(stack)
}

/**
 * Restores a backup into a running native stack: all of it, or one part beside newer ones. The services concerned are
 * stopped while their data is replaced, and everything is checked before anything is. `npm run reconcile` then says what
 * differs.
 */
export async function restoreBackup(
  stack: Stack,
  folder: string,
  { only, onRestored }: RestoreOptions,
  log: Log,
): Promise<void> {
  const manifest = await readManifest(folder)
  const names = databases.filter((name) => only === undefined || only === name)
  const withTemporal = only === undefined || only === 'temporal'
  const temporalFile = withTemporal ? await checkFile(folder, manifest.temporal) : ''
  if (only === undefined || only === 'objects') await checkFile(folder, manifest.objects.list)
  await restoreDatabases(stack, { folder, manifest, log }, names)

  const stopped = await processesOf(stack, only)
  try {
    await Promise.all(stopped.map((name) => stack.stopProcess(name)))
    if (withTemporal) await stack.stopProcess('temporal')
    if (stopped.length > 0) log(`stopped: ${stopped.join(' ')}`)
    await putIntoUse(stack, names)
    if (withTemporal) {
      await replaceTemporal(stack, temporalFile)
      await stack.startProcess('temporal')
      const outdated = await endOutdatedSagas(stack)
      log(`temporal is restored; ${outdated} sagas whose purchase has ended were terminated`)
    }
    if (only === undefined) await skipToEnd(stack.urls.kafkaBrokers)
    if (only === 'positions') await moveBack(stack.urls.kafkaBrokers, manifest.positions)
    if (names.length > 0) await emptyRedis(stack)
    if (only === undefined || only === 'objects') {
      log(`${await putObjects(stack, folder)} objects were stored again`)
    }
    await onRestored?.()
  } finally {
    if (withTemporal) await stack.startProcess('temporal')
    await Promise.all(stopped.map((name) => stack.startProcess(name)))
  }
  log(`restored as of ${manifest.taken_at}`)
}
