import { Client, S3Error } from 'minio'
import type { MediaKind } from '../../shared/contracts/media.ts'
import { AppError } from '../../shared/runtime/errors.ts'

export type Storage = ReturnType<typeof createStorage>

export type StorageConfig = {
  MINIO_URL: string
  MINIO_ACCESS_KEY: string
  MINIO_SECRET_KEY: string
}

/** An object's place, which is also its path on the CDN. Names are made here, never by clients. */
export function objectKey(kind: MediaKind, id: string): string {
  return `${buckets[kind]}/${id}`
}

/** The place of an image's thumbnail. */
export function thumbnailKey(id: string): string {
  return `${objectKey('image', id)}-thumb`
}

const buckets = { image: 'images', video: 'videos' } as const
/** The smallest that S3 takes, and all that an upload of any size holds in memory. */
const partBytes = 5 * 1024 * 1024

/** The object storage. It speaks plain HTTP requests, so there is no connection to close. */
export function createStorage(config: StorageConfig) {
  const url = new URL(config.MINIO_URL)
  const client = new Client({
    endPoint: url.hostname,
    ...(url.port && { port: Number(url.port) }),
    useSSL: url.protocol === 'https:',
    accessKey: config.MINIO_ACCESS_KEY,
    secretKey: config.MINIO_SECRET_KEY,
    retryOptions: { disableRetry: true },
  })

  return {
    /** For `/health/ready`; keys that are refused count as no answer. */
    async isReachable(): Promise<boolean> {
      await client.listBuckets()
      return true
    },

    async put(key: string, contentType: string, content: Buffer): Promise<void> {
      const [bucket, name] = split(key)
      const headers = headersOf(contentType)
      await answered(client.putObject(bucket, name, content, content.length, headers))
    },

    /** Stores what is too large for memory. What a failure leaves is for `remove`. */
    async putStream(
      key: string,
      contentType: string,
      content: AsyncIterable<Buffer>,
    ): Promise<void> {
      const [bucket, name] = split(key)
      const headers = headersOf(contentType)
      const uploadID = await answered(client.initiateNewMultipartUpload(bucket, name, headers))
      const parts: { part: number; etag: string }[] = []
      for await (const block of blocksOf(content, partBytes)) {
        const partNumber = parts.length + 1
        const place = { bucketName: bucket, objectName: name, uploadID, partNumber, headers: {} }
        const { etag } = await answered(client.uploadPart(place, block))
        parts.push({ part: partNumber, etag })
      }
      await answered(client.completeMultipartUpload(bucket, name, uploadID, parts))
    },

    /** Removes whatever there is of a file: whole, in parts or nothing. */
    async remove(kind: MediaKind, id: string): Promise<void> {
      const [bucket, name] = split(objectKey(kind, id))
      const uploadId = kind === 'video' ? await client.findUploadId(bucket, name) : undefined
      if (uploadId !== undefined) await client.abortMultipartUpload(bucket, name, uploadId)
      await client.removeObject(bucket, name)
      if (kind === 'image') await client.removeObject(...split(thumbnailKey(id)))
    },
  }
}

/** What the storage answers, be it an error of its own; without an answer the client had better try again. */
async function answered<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (cause) {
    if (cause instanceof S3Error) throw cause
    throw new AppError('unavailable', 'the object storage does not answer; try again', { cause })
  }
}

function split(key: string): [bucket: string, name: string] {
  const [bucket = '', name = ''] = key.split('/')
  return [bucket, name]
}

/** An object never changes under its name, so a cached copy stays valid. */
function headersOf(contentType: string) {
  return { 'Content-Type': contentType, 'Cache-Control': 'public, max-age=31536000, immutable' }
}

/** Cuts a stream into blocks of one size, the last may be smaller. A block is good until the next one is asked for. */
async function* blocksOf(chunks: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  const block = Buffer.allocUnsafe(size)
  let filled = 0
  for await (const chunk of chunks) {
    for (let rest = chunk; rest.length > 0; ) {
      const taken = rest.copy(block, filled)
      rest = rest.subarray(taken)
      filled += taken
      if (filled < size) continue
      yield block
      filled = 0
    }
  }
  if (filled > 0) yield block.subarray(0, filled)
}
