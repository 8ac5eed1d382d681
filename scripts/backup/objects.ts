import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { pipeline } from 'node:stream/promises'
import { Client, S3Error } from 'minio'
import type pg from 'pg'
import { nilId } from '../../shared/contracts/ids.ts'
import type { StackInfo } from '../stack/client.ts'

/** An object with what it is served with. */
type Stored = { key: string; bytes: number; headers: Record<string, string> }

export const objectList = 'objects.jsonl'
const rowsAtOnce = 500
const copiesAtOnce = 8
/** Headers of an answer that are no property of the object. */
const kept = /^(?:content-type|cache-control|content-disposition|content-encoding)$/i

function connect({ urls, secrets }: Pick<StackInfo, 'urls' | 'secrets'>): Client {
  const { hostname: endPoint, port, protocol } = new URL(urls.minio)
  return new Client({
    endPoint,
    useSSL: protocol === 'https:',
    ...(port && { port: Number(port) }),
    ...secrets.minio,
  })
}

function placeOf(key: string): [bucket: string, name: string] {
  const [bucket = '', name = ''] = key.split('/')
  return [bucket, name]
}

async function found(client: Client, key: string) {
  try {
    return await client.statObject(...placeOf(key))
  } catch (error) {
    if (error instanceof S3Error && error.code === 'NotFound') return undefined
    throw error
  }
}

/** An image has a thumbnail, unless it is from before there were any. */
const keysOf = ({ kind, object_key: key }: { kind: string; object_key: string }) =>
  kind === 'image' ? [key, `${key}-thumb`] : [key]

/**
 * Copies the objects that the rows of media name, as a snapshot shows them. An object is stored before its row and never
 * changes, so each is there, unless its seller has removed it since.
 */
export async function copyObjects(
  stack: Pick<StackInfo, 'urls' | 'secrets'>,
  media: pg.Client,
  folder: string,
): Promise<{ count: number; missing: string[] }> {
  const client = connect(stack)
  const list = await open(join(folder, objectList), 'wx', 0o600)
  const missing: string[] = []
  let count = 0

  async function copy(key: string, isThumbnail: boolean): Promise<void> {
    const known = await found(client, key)
    if (!known) {
      if (!isThumbnail) missing.push(key)
      return
    }
    const path = join(folder, 'objects', key)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const content = await client.getObject(...placeOf(key))
    await pipeline(content, createWriteStream(path, { mode: 0o600 }))
    const headers = Object.fromEntries(
      Object.entries(known.metaData as Record<string, string>).filter(([name]) => kept.test(name)),
    )
    await list.write(`${JSON.stringify({ key, bytes: known.size, headers } satisfies Stored)}\n`)
    count += 1
  }

  try {
    for (let after: string | undefined = nilId; after !== undefined; ) {
      const { rows }: { rows: { id: string; kind: string; object_key: string }[] } =
        await media.query(
          `SELECT id, kind, object_key FROM media WHERE id > $1 ORDER BY id LIMIT ${rowsAtOnce}`,
          [after],
        )
      const keys = rows.flatMap((row) => keysOf(row).map((key, index) => ({ key, index })))
      for (let first = 0; first < keys.length; first += copiesAtOnce) {
        const some = keys.slice(first, first + copiesAtOnce)
        await Promise.all(some.map(({ key, index }) => copy(key, index > 0)))
      }
      after = rows.length < rowsAtOnce ? undefined : rows.at(-1)?.id
    }
  } finally {
    await list.close()
  }
  return { count, missing }
}

/** Stores the objects that are missing. What is there stays: it cannot have changed. */
export async function putObjects(
  stack: Pick<StackInfo, 'urls' | 'secrets'>,
  folder: string,
): Promise<number> {
  const client = connect(stack)
  let put = 0
  for await (const line of createInterface(createReadStream(join(folder, objectList)))) {
    const { key, bytes, headers } = JSON.parse(line) as Stored
    if ((await found(client, key))?.size === bytes) continue
    const path = join(folder, 'objects', key)
    if ((await stat(path)).size !== bytes) throw new Error(`${key} of ${folder} is damaged`)
    await client.fPutObject(...placeOf(key), path, headers)
    put += 1
  }
  return put
}
