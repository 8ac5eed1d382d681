import { z } from 'zod'
import { parseRequest } from '../../shared/grpc/request.ts'
import type { GrpcHandlers } from '../../shared/grpc/services.ts'
import type { MediaService } from './service.ts'

/** As many as a page of products has. */
const maxProducts = 100
const ListByProducts = z.object({ product_ids: z.array(z.uuid()).max(maxProducts) })

export function createGrpcHandlers(service: MediaService): GrpcHandlers<'media'> {
  return {
    async ListByProducts(request) {
      const { product_ids } = parseRequest(ListByProducts, request)
      const media = await service.listByProducts(product_ids)
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
