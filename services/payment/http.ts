import type { paymentRoutes } from '../../shared/contracts/payment.ts'
import type { Handlers } from '../../shared/route.ts'
import type { PaymentService } from './service.ts'

export function createHandlers(service: PaymentService): Handlers<typeof paymentRoutes> {
  return {
    listPayments: ({ caller, query }) => service.listPayments(caller.accountId, query),
    getPayment: ({ caller, params }) => service.getPayment(caller.accountId, params.id),
  }
}
