import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, databases } from '../../prisma/databases.ts'
import type { StackInfo } from '../stack/client.ts'
import type { Log } from '../stack/log.ts'
import { dumpDatabase, dumpFile } from './databases.ts'
import { describeFile, type File, type Manifest, makeFolder, writeManifest } from './manifest.ts'
import { copyObjects, objectList } from './objects.ts'
import { readPositions } from './positions.ts'
import { findPostgresTools } from './postgres-tools.ts'
import { takeSnapshots } from './snapshots.ts'
import { openTemporal, temporalFile } from './temporal.ts'

const packageFile = join(import.meta.dirname, '../../package.json')

/**
 * Backs up a native stack that may be at work: everything as it was at one moment. No request is refused meanwhile.
 */
export async function takeBackup(
  stack: Pick<StackInfo, 'dataDir' | 'ports' | 'secrets' | 'urls'>,
  folder: string,
  log: Log,
): Promise<Manifest & { lockedMs: number }> {
  await makeFolder(folder)
  const tools = await findPostgresTools(log)
  // Before the databases: a message that is read twice does no harm.
  const positions = await readPositions(stack.urls.kafkaBrokers)
  await using open = new AsyncDisposableStack()
  const temporal = open.adopt(openTemporal(stack), (it) => it.close())
  const snapshots = open.adopt(await takeSnapshots(stack, temporal.freeze), (it) => it.close())
  const { takenAt, lockedMs, ids, media } = snapshots
  log(`the moment is ${takenAt.toISOString()}; purchases waited ${lockedMs.toFixed(0)} ms for it`)

  await temporal.copyTo(join(folder, temporalFile))
  log('temporal is copied')
  for (const name of databases) {
    await dumpDatabase(stack, tools, { name, snapshot: ids[name], folder })
    log(`${name} is dumped`)
  }
  const { count, missing } = await copyObjects(stack, media, folder)
  log(`${count} objects are copied`)
  if (missing.length > 0) log(`${missing.length} objects were not there: ${missing.join(' ')}`)

  const dumps = databases.map(async (name): Promise<[Database, File]> => {
    return [name, await describeFile(folder, dumpFile(name))]
  })
  const { version } = JSON.parse(await readFile(packageFile, 'utf8')) as { version: string }
  const manifest: Manifest = {
    format: 1,
    taken_at: takenAt.toISOString(),
    version,
    databases: Object.fromEntries(await Promise.all(dumps)) as Record<Database, File>,
    temporal: await describeFile(folder, temporalFile),
    positions,
    objects: { list: await describeFile(folder, objectList), count, missing },
  }
  await writeManifest(folder, manifest)
  return { ...manifest, lockedMs }
}
