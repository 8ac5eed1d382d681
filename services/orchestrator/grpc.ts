import { PurchaseAccepted } from '../../shared/contracts/events.ts'
import { invalid } from '../../shared/errors.ts'
import type { GrpcHandlers } from '../../shared/grpc.ts'
import type { Sagas } from './sagas.ts'

export function createGrpcHandlers(sagas: Sagas): GrpcHandlers<'saga'> {
  return {
    async Cancel(request) {
      const accepted = PurchaseAccepted.safeParse(request)
      if (accepted.error) throw invalid(accepted.error.issues)
      return { verdict: await sagas.cancel(accepted.data) }
    },
  }
}
