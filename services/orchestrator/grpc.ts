import { PurchaseAccepted, RefundRequested } from '../../shared/contracts/events.ts'
import { parseRequest } from '../../shared/grpc/request.ts'
import type { GrpcHandlers } from '../../shared/grpc/services.ts'
import type { Cancel } from './saga/cancel.ts'
import type { Refunds } from './saga/refunds.ts'

export function createGrpcHandlers(
  cancel: Cancel,
  refunds: Pick<Refunds, 'start'>,
): GrpcHandlers<'saga'> {
  return {
    async Cancel(request) {
      return { verdict: await cancel(parseRequest(PurchaseAccepted, request)) }
    },
    async StartRefund({ seller_id, ...request }) {
      const requested = { ...request, seller_id: seller_id || null }
      return { state: await refunds.start(parseRequest(RefundRequested, requested)) }
    },
  }
}
