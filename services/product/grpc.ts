import { z } from 'zod'
import { StockLine } from '../../shared/contracts/commands.ts'
import { parseRequest } from '../../shared/grpc/request.ts'
import type { GrpcHandlers } from '../../shared/grpc/services.ts'
import type { Repository } from './repository.ts'
import type { ProductService } from './service.ts'

/** As many as a purchase has lines. */
const maxProducts = 100

const CheckProducts = z.object({ lines: z.array(StockLine).max(maxProducts) })
const WithdrawProducts = z.object({ account_id: z.uuid() })
const GetProducts = z.object({ product_ids: z.array(z.uuid()).max(maxProducts) })
const GetHolds = z.object({ purchase_id: z.uuid() })

export function createGrpcHandlers(
  service: Pick<ProductService, 'checkStock' | 'getOffers' | 'withdrawAll'>,
  repository: Pick<Repository, 'showHolds'>,
): GrpcHandlers<'product'> {
  return {
    async CheckProducts(request) {
      const checks = await service.checkStock(parseRequest(CheckProducts, request).lines)
      return { checks }
    },

    async GetProducts(request) {
      return { products: await service.getOffers(parseRequest(GetProducts, request).product_ids) }
    },

    async GetHolds(request) {
      const rows = await repository.showHolds(parseRequest(GetHolds, request).purchase_id)
      const holds = rows.map(({ productId, quantity, status, updatedAt, product }) => ({
        product_id: productId,
        quantity,
        status,
        updated_at: updatedAt.getTime(),
        ...product,
      }))
      return { holds }
    },

    async WithdrawProducts(request) {
      return {
        withdrawn: await service.withdrawAll(parseRequest(WithdrawProducts, request).account_id),
      }
    },
  }
}
