import type { auditRoutes, purchaseRoutes } from '../../shared/contracts/purchase.ts'
import type { Handlers } from '../../shared/route.ts'
import type { PurchaseService } from './service.ts'

export function createHandlers(
  service: PurchaseService,
): Handlers<typeof purchaseRoutes & typeof auditRoutes> {
  return {
    createPurchase: ({ caller, body, headers }) =>
      service.create(caller, body, headers['idempotency-key']),
    listPurchases: ({ caller, query }) => service.listOwn(caller.accountId, query),
    watchPurchase: ({ caller, params, headers, signal }) =>
      service.watchOwn(
        caller.accountId,
        params.id.toLowerCase(),
        headers['last-event-id'] ?? 0,
        signal,
      ),
    getPurchase: ({ caller, params }) => service.getOwn(caller.accountId, params.id),
    cancelPurchase: ({ caller, params }) => service.cancel(caller.accountId, params.id),
    listActions: ({ params }) => service.listActions(params.id),
  }
}
