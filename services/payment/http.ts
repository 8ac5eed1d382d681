import type { paymentRoutes, providerEventRoutes } from '../../shared/contracts/payment.ts'
import type { operatorRefundRoutes, refundRoutes } from '../../shared/contracts/refund.ts'
import type { Handlers } from '../../shared/http/route.ts'
import type { EventRepository } from './event-repository.ts'
import type { Refunds } from './refunds.ts'
import type { PaymentService } from './service.ts'
import type { Webhooks } from './webhooks.ts'

export function createHandlers(
  service: PaymentService,
  webhooks: Webhooks,
  events: Pick<EventRepository, 'listEvents'>,
): Handlers<typeof paymentRoutes & typeof providerEventRoutes> {
  return {
    listPayments: ({ caller, query }) => service.listPayments(caller.accountId, query),
    getPayment: ({ caller, params }) => service.getPayment(caller.accountId, params.id),
    async receiveWebhook({ body, headers }) {
      await webhooks.receive(body, headers['stripe-signature'])
      return { received: true }
    },
    listProviderEvents: ({ query }) => events.listEvents(query),
  }
}

export function createRefundHandlers(
  refunds: Refunds,
): Handlers<typeof refundRoutes & typeof operatorRefundRoutes> {
  return {
    requestRefund: ({ caller, params, headers, body }) =>
      refunds.requestBySeller(caller.accountId, params.id, headers['idempotency-key'], body),
    listRefunds: ({ caller, params, query }) => refunds.listOf(caller.accountId, params.id, query),
    requestOperatorRefund: ({ operator, headers, body }) =>
      refunds.requestByOperator(operator, headers['idempotency-key'], body),
    listRefundRecords: ({ query }) => refunds.listRecords(query),
    getRefundRecord: ({ params }) => refunds.getRecord(params.id),
  }
}
