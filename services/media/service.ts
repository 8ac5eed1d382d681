import { page } from '../../shared/contracts/list.ts'
import {
  type Media,
  type MediaListQuery,
  maxProductMedia,
  type UploadFields,
} from '../../shared/contracts/media.ts'
import type { GrpcClient } from '../../shared/grpc/client.ts'
import { createPlaces } from '../../shared/http/admission/places.ts'
import type { Caller } from '../../shared/http/auth.ts'
import type { FormInput } from '../../shared/http/multipart.ts'
import { AppError, unprocessable } from '../../shared/runtime/errors.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { Metrics } from '../../shared/runtime/metrics.ts'
import { toMedia } from './mapping.ts'
import type { Repository } from './repository.ts'
import type { Storage } from './storage.ts'
import { createUploads, type UploadLimits } from './uploads.ts'

export type MediaService = ReturnType<typeof createMediaService>

type Deps = {
  repository: Repository
  storage: Storage
  products: Pick<GrpcClient<'product'>, 'GetProducts'>
  logger: Logger
  metrics: Pick<Metrics, 'httpShed'>
  /** Of the CDN, without a slash at its end. */
  publicUrl: string
  limits: UploadLimits
}

export function createMediaService(deps: Deps) {
  const { repository, limits, publicUrl } = deps
  const uploads = createUploads(deps)
  const refused = deps.metrics.httpShed.labels('uploads')
  const places = createPlaces({
    refused,
    what: 'uploads',
    max: limits.uploads,
    perClient: Math.ceil(limits.uploads / 2),
  })
  /** One person may have more than one account. This keeps places free for others. */
  const addresses = createPlaces({
    refused,
    what: 'uploads',
    max: limits.uploads,
    perClient: Math.ceil((limits.uploads * 3) / 4),
  })

  async function authorize(caller: Caller, productId: string): Promise<void> {
    const { products } = await deps.products.GetProducts({ product_ids: [productId] })
    const [product] = products
    if (!product) {
      throw unprocessable('product_id', 'there is no such product')
    }
    if (product.account_id !== caller.accountId) {
      throw new AppError('forbidden', 'the product belongs to another account')
    }
  }

  return {
    /**
     * Takes one of the places for uploads when the files may come, and as long as they do: a form without its fields
     * has none, and one that stalls is aborted.
     */
    async upload(caller: Caller, client: string, form: FormInput<UploadFields>) {
      await authorize(caller, form.fields.product_id)
      using _place = places.take(caller.accountId)
      using _address = addresses.take(client)
      const stored = await uploads.receive(form, caller.accountId)
      return { items: stored.map((media) => toMedia(media, publicUrl)) }
    },

    async list(query: MediaListQuery) {
      const rows = await repository.list(query)
      const { items, next_cursor } = page(rows, query.limit)
      return { items: items.map((media) => toMedia(media, publicUrl)), next_cursor }
    },

    /**
     * Removes media of the seller, shown by its product or not: from now on nobody is shown it, and its objects go at
     * once, or with the sweep if the storage does not answer.
     */
    async remove(accountId: string, id: string): Promise<void> {
      const owner = await repository.findOwner(id)
      if (!owner) throw new AppError('not_found', 'there is no such media')
      if (owner.accountId !== accountId) {
        throw new AppError('forbidden', 'the media belongs to another account')
      }
      const removed = await repository.withdraw(id)
      if (!removed) throw new AppError('not_found', 'there is no such media')
      await uploads.discard([removed])
    },

    /** What products show, the first of each. */
    async listByProducts(productIds: string[]): Promise<Media[]> {
      const rows = await repository.firstOf(productIds, maxProductMedia)
      return rows.map((media) => toMedia(media, publicUrl))
    },

    removeLeftOvers: uploads.removeLeftOvers,
  }
}
