import { createHash } from 'node:crypto'
import { fileTypeFromBuffer } from 'file-type'
import type { Caller } from '../../shared/auth.ts'
import { page } from '../../shared/contracts/list.ts'
import {
  type Media,
  type MediaKind,
  type MediaListQuery,
  maxProductMedia,
  type UploadFields,
} from '../../shared/contracts/media.ts'
import { AppError, unprocessable } from '../../shared/errors.ts'
import type { GrpcClient } from '../../shared/grpc.ts'
import { newId } from '../../shared/ids.ts'
import type { Logger } from '../../shared/logger.ts'
import type { FormFile, FormInput } from '../../shared/multipart.ts'
import { readImage, thumbnailType } from './images.ts'
import type { NewMedia, Repository, StoredMedia } from './repository.ts'
import { objectKey, type Storage, thumbnailKey } from './storage.ts'

export type MediaService = ReturnType<typeof createMediaService>

export type Limits = {
  imageBytes: number
  imagePixels: number
  videoBytes: number
  /** At once, in this process. */
  uploads: number
  uploadMs: number
}

type Deps = {
  repository: Repository
  storage: Storage
  accounts: Pick<GrpcClient<'auth'>, 'Authenticate'>
  products: Pick<GrpcClient<'product'>, 'GetProducts'>
  logger: Logger
  publicUrl: string
  limits: Limits
}

type File = { id: string; kind: MediaKind }

/** What a file is by its first bytes, whatever its name and its part's content type say. */
const kinds: Record<string, { kind: MediaKind; contentType: string }> = {
  'image/png': { kind: 'image', contentType: 'image/png' },
  'image/apng': { kind: 'image', contentType: 'image/png' },
  'image/jpeg': { kind: 'image', contentType: 'image/jpeg' },
  'video/mp4': { kind: 'video', contentType: 'video/mp4' },
}
/** As much as file-type looks at. */
const sampleBytes = 4_100
/** Far beyond the end of any upload: what is pending for longer is left over from a crash. */
const abandonedAfterMs = 60_000
const sweepBatch = 100

export function createMediaService(deps: Deps) {
  const { repository, storage, limits, logger } = deps
  let uploads = 0

  /** The token is asked of account too: what is published stays, so a revoked one must not be enough. */
  async function authorize(caller: Caller, productId: string): Promise<void> {
    const [{ products }] = await Promise.all([
      deps.products.GetProducts({ product_ids: [productId] }),
      deps.accounts.Authenticate({ access_token: caller.token }),
    ])
    const [product] = products
    if (!product) {
      throw unprocessable('product_id', 'there is no such product')
    }
    if (product.account_id !== caller.accountId) {
      throw new AppError('forbidden', 'the product belongs to another account')
    }
  }

  /** Stores one file after the other; each is in `pending` before anything of it is stored. */
  async function store(
    form: FormInput<UploadFields>,
    accountId: string,
    pending: File[],
  ): Promise<NewMedia[]> {
    const stored: NewMedia[] = []
    for await (const file of form.files) {
      const field = `data.${stored.length}`
      const content = file.content[Symbol.asyncIterator]()
      const { head, type } = await sniff(content)
      if (!type) throw refused('unprocessable', field, file, 'is not a png, jpg, jpeg or mp4')
      const id = newId()
      pending.push({ id, kind: type.kind })
      await repository.addPending({ id, kind: type.kind })
      const write = type.kind === 'image' ? storeImage : storeVideo
      const written = await write(id, type.contentType, field, file, restOf(head, content))
      stored.push({
        id,
        productId: form.fields.product_id,
        accountId,
        kind: type.kind,
        contentType: type.contentType,
        alt: form.fields.alt,
        objectKey: objectKey(type.kind, id),
        ...written,
      })
    }
    return stored
  }

  /** An image is small enough to be held: it is decoded before it is stored. */
  async function storeImage(
    id: string,
    contentType: string,
    field: string,
    file: FormFile,
    chunks: AsyncIterable<Buffer>,
  ) {
    const measured = measure(chunks, limits.imageBytes, field, file)
    const content = Buffer.concat(await Array.fromAsync(measured.chunks))
    const image = await readImage(content, limits.imagePixels)
    if (!image) {
      const rule = `is broken or has more than ${limits.imagePixels} pixels`
      throw refused('unprocessable', field, file, rule)
    }
    await storage.put(objectKey('image', id), contentType, content)
    await storage.put(thumbnailKey(id), thumbnailType, image.thumbnail)
    return { ...measured.result(), width: image.width, height: image.height }
  }

  async function storeVideo(
    id: string,
    contentType: string,
    field: string,
    file: FormFile,
    chunks: AsyncIterable<Buffer>,
  ) {
    const measured = measure(chunks, limits.videoBytes, field, file)
    await storage.putStream(objectKey('video', id), contentType, measured.chunks)
    return { ...measured.result(), width: null, height: null }
  }

  /** Removes the objects of files that were not published. What cannot be removed now is left to the sweep. */
  async function discard(files: File[]): Promise<void> {
    try {
      for (const { id, kind } of await repository.abandon(files)) {
        await storage.remove(kind, id)
        await repository.forgetPending(id)
      }
    } catch (err) {
      logger.warn({ err, count: files.length }, 'uploaded objects wait for the sweep')
    }
  }

  async function uploadFiles(caller: Caller, form: FormInput<UploadFields>): Promise<Media[]> {
    const deadline = AbortSignal.timeout(limits.uploadMs)
    await authorize(caller, form.fields.product_id)
    const pending: File[] = []
    const storing = store(form, caller.accountId, pending)
    try {
      return (await repository.publish(await before(deadline, storing))).map(toMedia)
    } catch (error) {
      // Past the deadline a file may still be on its way to the storage.
      const discarded = storing.catch(() => undefined).then(() => discard(pending))
      if (!deadline.aborted) await discarded
      throw error
    }
  }

  function toMedia(stored: StoredMedia): Media {
    const { id, kind } = stored
    return {
      id,
      product_id: stored.productId,
      kind: kind as MediaKind,
      content_type: stored.contentType,
      size_bytes: Number(stored.sizeBytes),
      checksum: stored.checksum,
      width: stored.width,
      height: stored.height,
      alt: stored.alt,
      url: `${deps.publicUrl}/${stored.objectKey}`,
      thumbnail_url: kind === 'image' ? `${deps.publicUrl}/${thumbnailKey(id)}` : null,
      created_at: stored.createdAt.toISOString(),
    }
  }

  return {
    async upload(caller: Caller, form: FormInput<UploadFields>) {
      if (uploads >= limits.uploads) {
        throw new AppError('unavailable', 'too many uploads are under way; try again')
      }
      uploads += 1
      try {
        return { items: await uploadFiles(caller, form) }
      } finally {
        uploads -= 1
      }
    },

    async list({ product_id, limit, cursor }: MediaListQuery) {
      const rows = await repository.list({ productId: product_id, limit, cursor })
      const { items, next_cursor } = page(rows, limit)
      return { items: items.map(toMedia), next_cursor }
    },

    /** What products show, the first of each. */
    async listByProducts(productIds: string[]): Promise<Media[]> {
      return (await repository.firstOf(productIds, maxProductMedia)).map(toMedia)
    },

    /** Removes what uploads left that crashed, or that could not clean up after themselves. */
    async removeLeftOvers(): Promise<void> {
      const latest = new Date(Date.now() - limits.uploadMs - abandonedAfterMs)
      const files = await repository.leftOver(latest, sweepBatch)
      if (files.length === 0) return
      logger.warn({ count: files.length }, 'removing what failed uploads left')
      await discard(files)
    },
  }
}

type Chunks = AsyncIterator<Buffer>

/** Reads as much of a file as tells what it is. */
async function sniff(chunks: Chunks) {
  const read: Buffer[] = []
  let length = 0
  while (length < sampleBytes) {
    const { done, value } = await chunks.next()
    if (done) break
    read.push(value)
    length += value.length
  }
  const head = Buffer.concat(read)
  const found = await fileTypeFromBuffer(head.subarray(0, sampleBytes))
  return { head, type: kinds[found?.mime ?? ''] }
}

async function* restOf(head: Buffer, chunks: Chunks): AsyncGenerator<Buffer> {
  yield head
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value
}

/** Counts and hashes what passes, and stops at the limit. */
function measure(source: AsyncIterable<Buffer>, maxBytes: number, field: string, file: FormFile) {
  const hash = createHash('sha256')
  let bytes = 0
  async function* chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      bytes += chunk.length
      if (bytes > maxBytes) {
        throw refused('too_large', field, file, `has more than ${maxBytes} bytes`)
      }
      hash.update(chunk)
      yield chunk
    }
  }
  return {
    chunks: chunks(),
    result: () => ({ sizeBytes: BigInt(bytes), checksum: hash.digest('hex') }),
  }
}

function refused(
  kind: 'unprocessable' | 'too_large',
  field: string,
  { name }: FormFile,
  rule: string,
): AppError {
  return new AppError(kind, `${field} (${name.slice(0, 100)}) ${rule}`, {
    fields: [{ field, rule }],
  })
}

/** What `work` gives, unless the signal comes first. */
function before<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const onAbort = () => late.reject(new AppError('unavailable', 'the upload took too long'))
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort)
  return Promise.race([work, late.promise]).finally(() =>
    signal.removeEventListener('abort', onAbort),
  )
}
