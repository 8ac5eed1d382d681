import { newId } from '../../shared/contracts/ids.ts'
import type { MediaKind, UploadFields } from '../../shared/contracts/media.ts'
import type { FormInput } from '../../shared/http/multipart.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { createDecodeBudget } from './decode-budget.ts'
import { sniff } from './files.ts'
import { storeImage } from './images.ts'
import type { NewMedia, Repository, StoredMedia } from './repository.ts'
import { objectKey, type Storage } from './storage.ts'
import { storeVideo } from './videos.ts'

export type UploadLimits = {
  imageBytes: number
  imagePixels: number
  /** Of decoded images that are in memory at once. */
  decodedBytes: number
  /** How long an image waits for that memory. */
  decodeWaitMs: number
  videoBytes: number
  /** At once, in this process. */
  uploads: number
  uploadMs: number
}

type Deps = { repository: Repository; storage: Storage; logger: Logger; limits: UploadLimits }
type Pending = { id: string; kind: MediaKind }

/** Far beyond the end of any upload: what is pending for longer is left over from a crash. */
const abandonedAfterMs = 60_000
const sweepBatch = 100

/** Stores the files of a form, all or none, and removes what failed uploads leave. */
export function createUploads({ repository, storage, logger, limits }: Deps) {
  const budget = createDecodeBudget({ bytes: limits.decodedBytes, waitMs: limits.decodeWaitMs })
  const images = { storage, budget, maxBytes: limits.imageBytes, maxPixels: limits.imagePixels }
  const videos = { storage, maxBytes: limits.videoBytes }

  /** Stores one file after the other; each is in `pending` before anything of it is stored. */
  async function store(
    form: FormInput<UploadFields>,
    accountId: string,
    pending: Pending[],
  ): Promise<NewMedia[]> {
    const stored: NewMedia[] = []
    for await (const sent of form.files) {
      const file = await sniff(sent, `data.${stored.length}`)
      const { kind, contentType } = file
      const id = newId()
      pending.push({ id, kind })
      await repository.addPending({ id, kind })
      const written =
        kind === 'image'
          ? await storeImage(id, accountId, file, images)
          : await storeVideo(id, file, videos)
      const { product_id: productId, alt } = form.fields
      const key = objectKey(kind, id)
      stored.push({ id, productId, accountId, kind, contentType, alt, objectKey: key, ...written })
    }
    return stored
  }

  /**
   * Removes the objects of files that are not published, or not any more. What cannot be removed now is left to the
   * sweep.
   */
  async function discard(files: Pending[]): Promise<void> {
    try {
      for (const { id, kind } of await repository.abandon(files)) {
        await storage.remove(kind, id)
        await repository.purgePending(id)
      }
    } catch (err) {
      logger.warn({ err, count: files.length }, 'objects not removed: left to the sweep')
    }
  }

  return {
    discard,

    /** Publishes all files of a form, or leaves nothing of them. Throws AppErrors that name the file. */
    async receive(form: FormInput<UploadFields>, accountId: string): Promise<StoredMedia[]> {
      const deadline = AbortSignal.timeout(limits.uploadMs)
      const pending: Pending[] = []
      const storing = store(form, accountId, pending)
      try {
        return await repository.publish(await before(deadline, storing))
      } catch (error) {
        // Past the deadline a file may still be on its way to the storage.
        const discarded = storing.catch(() => undefined).then(() => discard(pending))
        if (!deadline.aborted) await discarded
        throw error
      }
    },

    /** Removes what uploads left that crashed, or that could not clean up after themselves. */
    async removeLeftOvers(): Promise<void> {
      const latest = new Date(Date.now() - limits.uploadMs - abandonedAfterMs)
      const files = await repository.leftOver(latest, sweepBatch)
      if (files.length === 0) return
      logger.warn({ count: files.length }, 'removing objects that are not published')
      await discard(files)
    },
  }
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
