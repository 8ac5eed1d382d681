import { z } from 'zod'
import { StockLine } from '../../shared/contracts/commands.ts'
import { invalid } from '../../shared/errors.ts'
import type { GrpcHandlers } from '../../shared/grpc.ts'
import type { ProductService } from './service.ts'

/** As many as a purchase has lines. */
const maxProducts = 100

const CheckProducts = z.object({ lines: z.array(StockLine).max(maxProducts) })
const GetProducts = z.object({ product_ids: z.array(z.uuid()).max(maxProducts) })

export function createGrpcHandlers(service: ProductService): GrpcHandlers<'product'> {
  return {
    async CheckProducts(request) {
      const checks = await service.checkStock(parse(CheckProducts, request).lines)
      return { checks }
    },

    async GetProducts(request) {
      return { products: await service.getOffers(parse(GetProducts, request).product_ids) }
    },
  }
}

function parse<T extends z.ZodType>(schema: T, request: object): z.infer<T> {
  const result = schema.safeParse(request)
  if (!result.success) throw invalid(result.error.issues)
  return result.data
}
