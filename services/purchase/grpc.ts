import { z } from 'zod'
import { invalid } from '../../shared/errors.ts'
import type { GrpcHandlers } from '../../shared/grpc.ts'
import type { PurchaseService } from './service.ts'

const CancelWished = z.object({ purchase_ids: z.array(z.uuid()).max(200) })

export function createGrpcHandlers(
  service: Pick<PurchaseService, 'cancelWished'>,
): GrpcHandlers<'purchase'> {
  return {
    async CancelWished(request) {
      const parsed = CancelWished.safeParse(request)
      if (parsed.error) throw invalid(parsed.error.issues)
      return { wished: await service.cancelWished(parsed.data.purchase_ids) }
    },
  }
}
