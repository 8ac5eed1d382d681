import { z } from 'zod'
import { invalid } from '../../shared/errors.ts'
import type { GrpcHandlers } from '../../shared/grpc.ts'
import type { MediaService } from './service.ts'

/** As many as a page of products has. */
const maxProducts = 100
const ListByProducts = z.object({ product_ids: z.array(z.uuid()).max(maxProducts) })

export function createGrpcHandlers(service: MediaService): GrpcHandlers<'media'> {
  return {
    async ListByProducts(request) {
      const parsed = ListByProducts.safeParse(request)
      if (parsed.error) throw invalid(parsed.error.issues)
      const media = await service.listByProducts(parsed.data.product_ids)
      return {
        media: media.map(({ thumbnail_url, width, height, ...rest }) => ({
          ...rest,
          thumbnail_url: thumbnail_url ?? '',
          width: width ?? 0,
          height: height ?? 0,
        })),
      }
    },
  }
}
