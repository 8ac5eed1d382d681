import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { glob, mkdir, readdir, readFile, rename, rm, stat, symlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run-command.ts'

const checkout = join(import.meta.dirname, '../..')
const builds = join(checkout, 'node_modules', '.cache', 'web')
/** Builds that are kept, because a running shop may serve an older one. */
const kept = 5

/** Where the service that serves the front end finds it: a link to the build of today's sources. */
export const webRoot = join(builds, 'current')

/** A name that changes with anything that the front end is made of. */
async function fingerprint(): Promise<string> {
  const hash = createHash('sha256')
  const files = await Array.fromAsync(
    glob(['web/**/*.*', 'shared/contracts/*.ts', 'package-lock.json'], { cwd: checkout }),
  )
  for (const file of files.filter((name) => !name.startsWith('web/dist/')).sort()) {
    hash.update(`${file}\0`).update(await readFile(join(checkout, file)))
  }
  return hash.digest('hex').slice(0, 16)
}

async function removeOldBuilds(): Promise<void> {
  const names = (await readdir(builds)).filter((name) => /^[0-9a-f]{16}$/.test(name))
  const ages = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(builds, name))).mtimeMs })),
  )
  const old = ages.sort((a, b) => b.at - a.at).slice(kept)
  await Promise.all(old.map(({ name }) => rm(join(builds, name), { recursive: true, force: true })))
}

/**
 * Builds the front end unless its sources were built before. Two launchers at once may both build it; either one does.
 */
export async function buildWeb(): Promise<void> {
  const name = await fingerprint()
  const folder = join(builds, name)
  await mkdir(builds, { recursive: true })
  if (!existsSync(folder)) {
    const fresh = `${folder}.${process.pid}`
    await run(process.execPath, ['web/build.ts', fresh], { cwd: checkout })
    await rename(fresh, folder).catch(() => rm(fresh, { recursive: true, force: true }))
  }
  const now = new Date()
  await utimes(folder, now, now)
  const link = `${webRoot}.${process.pid}`
  await symlink(name, link)
  await rename(link, webRoot)
  await removeOldBuilds()
}
