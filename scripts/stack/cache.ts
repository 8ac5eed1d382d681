import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, relative } from 'node:path'
import { takeLock } from './lock.ts'
import type { Log } from './log.ts'

/** The cache of all checkouts of this user. */
export function cacheDir(): string {
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return join(caches, 'saga-orchestration')
}

const manifest = '.files.json'

async function sizes(dir: string): Promise<Record<string, number>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && entry.name !== manifest)
  const pairs = files.map(async (entry): Promise<[string, number]> => {
    const path = join(entry.parentPath, entry.name)
    return [relative(dir, path), (await stat(path)).size]
  })
  return Object.fromEntries((await Promise.all(pairs)).sort())
}

async function isWhole(dir: string): Promise<boolean> {
  try {
    const expected: Record<string, number> = JSON.parse(await readFile(join(dir, manifest), 'utf8'))
    const found = await sizes(dir)
    return Object.entries(expected).every(([path, size]) => found[path] === size)
  } catch {
    return false
  }
}

/**
 * The folder of `key` ("minio-1.2.3") in the cache that all checkouts share. `build` fills a temporary folder, which is
 * renamed when it is complete, so a half-written entry is never used; two launchers at once build it once.
 */
export async function cached(
  key: string,
  log: Log,
  build: (dir: string) => Promise<void>,
): Promise<string> {
  const root = cacheDir()
  const dir = join(root, key)
  if (await isWhole(dir)) return dir
  await mkdir(root, { recursive: true })
  const lock = await takeLock(dir, () => log(`${key}: another launcher installs it, waiting`))
  const startedAt = Date.now()
  const seconds = () => Math.round((Date.now() - startedAt) / 1000)
  const ticker = setInterval(() => log(`${key}: still installing, ${seconds()} s`), 15_000)
  try {
    if (await isWhole(dir)) return dir
    if (existsSync(dir)) log(`${key}: the cached files are damaged, installing again`)
    const fresh = `${dir}.tmp`
    await rm(fresh, { recursive: true, force: true })
    await mkdir(fresh)
    log(`${key}: installing into ${root}`)
    await build(fresh)
    await writeFile(join(fresh, manifest), JSON.stringify(await sizes(fresh)))
    await rm(dir, { recursive: true, force: true })
    await rename(fresh, dir)
    log(`${key}: installed in ${seconds()} s`)
    return dir
  } finally {
    clearInterval(ticker)
    lock.release()
  }
}
