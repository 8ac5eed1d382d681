import { LRUCache } from 'lru-cache'
import { Counter } from 'prom-client'
import type { MediaKind, ProductMedia } from '../../shared/contracts/media.ts'
import type { Product, ProductWithMedia } from '../../shared/contracts/product.ts'
import type { GrpcClient } from '../../shared/grpc/client.ts'
import type { GrpcServices } from '../../shared/grpc/services.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { Metrics } from '../../shared/runtime/metrics.ts'

export type ProductMediaReader = ReturnType<typeof createProductMedia>

type Deps = {
  client: Pick<GrpcClient<'media'>, 'ListByProducts'>
  logger: Logger
  metrics: Pick<Metrics, 'registry'>
}

type Message = GrpcServices['media']['ListByProducts']['response']['media'][number]

/** How old the media of an answer may be, and how long media is left alone after it did not answer. */
const freshMs = 1_000
const maxProducts = 10_000

/**
 * Adds to products what media has of them. Concurrent readers of a product share one question. Products are shown
 * without their media rather than not at all: while media does not answer, there is none.
 */
export function createProductMedia({ client, logger, metrics }: Deps) {
  const recent = new LRUCache<string, Promise<ProductMedia[]>>({ max: maxProducts, ttl: freshMs })
  const failures = new Counter({
    name: 'product_media_failures_total',
    help: 'Questions for the media of products that were not answered',
    registers: [metrics.registry],
  })
  let silentUntil = 0

  async function ask(ids: string[]): Promise<Map<string, ProductMedia[]>> {
    if (performance.now() < silentUntil) return new Map()
    try {
      const { media } = await client.ListByProducts({ product_ids: ids })
      return Map.groupBy(media.map(toProductMedia), ({ product_id }) => product_id)
    } catch (err) {
      failures.inc()
      silentUntil = performance.now() + freshMs
      logger.warn({ err }, 'products are shown without their media')
      return new Map()
    }
  }

  function mediaOf(products: Product[]): Promise<ProductMedia[]>[] {
    const answers = new Map(products.map(({ id }) => [id, recent.get(id)]))
    const missing = [...answers.keys()].filter((id) => !answers.get(id))
    if (missing.length > 0) {
      const asked = ask(missing)
      for (const id of missing) {
        const answer = asked.then((found) => found.get(id) ?? [])
        recent.set(id, answer)
        answers.set(id, answer)
      }
    }
    return products.map(({ id }) => answers.get(id) ?? Promise.resolve([]))
  }

  async function withMedia(product: Product): Promise<ProductWithMedia> {
    const [media] = await Promise.all(mediaOf([product]))
    return { ...product, media: media ?? [] }
  }

  return {
    /** For one product, as it is or as it will be. */
    toOne: async (product: Promise<Product>) => withMedia(await product),

    toPage: async <P extends { items: Product[] }>(products: Promise<P>) => {
      const { items, ...rest } = await products
      const media = await Promise.all(mediaOf(items))
      return {
        ...rest,
        items: items.map((item, index) => ({ ...item, media: media[index] ?? [] })),
      }
    },
  }
}

function toProductMedia({ kind, thumbnail_url, width, height, ...rest }: Message) {
  return {
    ...rest,
    kind: kind as MediaKind,
    thumbnail_url: thumbnail_url || null,
    width: width || null,
    height: height || null,
  }
}
