import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { databases } from '../../prisma/databases.ts'

const File = z.strictObject({ name: z.string(), bytes: z.int(), sha256: z.string() })
export type File = z.infer<typeof File>

/** How far a consumer group had read a topic, by partition; -1 where it had committed nothing. */
const Position = z.strictObject({
  group: z.string(),
  topic: z.string(),
  offsets: z.array(z.int()),
})
export type Position = z.infer<typeof Position>

/** What a backup holds. It is written last, so a folder without it is not a backup. */
export const Manifest = z.strictObject({
  format: z.literal(1),
  /** The moment that all parts show, ISO 8601. */
  taken_at: z.iso.datetime(),
  version: z.string(),
  databases: z.record(z.enum(databases), File),
  temporal: File,
  positions: z.array(Position),
  objects: z.strictObject({ list: File, count: z.int(), missing: z.array(z.string()) }),
})
export type Manifest = z.infer<typeof Manifest>

const manifestFile = 'manifest.json'

/** Makes the folder of a new backup, which only its owner may read: it holds personal data. */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const [found] = await readdir(folder)
  if (found) throw new Error(`${folder} is not empty: each backup needs a folder of its own`)
  // One that was there keeps its mode otherwise, and dumps are files that all may read.
  await chmod(folder, 0o700)
}

export async function describeFile(folder: string, name: string): Promise<File> {
  const path = join(folder, name)
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return { name, bytes: (await stat(path)).size, sha256: hash.digest('hex') }
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const path = join(folder, manifestFile)
  await writeFile(`${path}.tmp`, `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 })
  await rename(`${path}.tmp`, path)
}

/** Throws for a folder that is not a whole backup. */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, manifestFile), 'utf8').catch((cause: Error) => {
    throw new Error(`${folder} is not a backup: it has no ${manifestFile}`, { cause })
  })
  return Manifest.parse(JSON.parse(text))
}

/** Throws unless a file is what was backed up. */
export async function checkFile(folder: string, file: File): Promise<string> {
  const found = await describeFile(folder, file.name).catch(() => undefined)
  if (found?.sha256 !== file.sha256) throw new Error(`${file.name} of ${folder} is damaged`)
  return join(folder, file.name)
}
