import type {
  AcceptedPurchase,
  auditRoutes,
  purchaseRoutes,
} from '../../shared/contracts/purchase.ts'
import type { Caller } from '../../shared/http/auth.ts'
import type { AwaitEnd } from '../../shared/http/prefer-wait.ts'
import type { Handlers } from '../../shared/http/route.ts'
import type { PurchaseService } from './service.ts'

export function createHandlers({
  checkout,
  cancellation,
  progress,
  audit,
  sales,
}: PurchaseService): Handlers<typeof purchaseRoutes & typeof auditRoutes> {
  return {
    createPurchase: ({ caller, body, headers }) =>
      checkout.create(caller, body, headers['idempotency-key']),
    listPurchases: ({ caller, query }) => progress.listOwn(caller.accountId, query),
    watchPurchase: ({ caller, params, headers, signal }) =>
      progress.watchOwn(caller.accountId, params.id, headers['last-event-id'], signal),
    getPurchase: ({ caller, params }) => progress.getOwn(caller.accountId, params.id),
    cancelPurchase: ({ caller, params }) => cancellation.cancel(caller.accountId, params.id),
    listSales: ({ caller, query }) => sales.list(caller.accountId, query),
    getSale: ({ caller, params }) => sales.get(caller.accountId, params.id),
    listActions: ({ params }) => audit.list(params.id),
  }
}

/** For a customer who waits for the end of the purchase that they have just made. */
export function createAwaitEnd({ progress }: Pick<PurchaseService, 'progress'>): AwaitEnd {
  return (accepted, input, signal) => {
    const { purchase_id } = accepted as AcceptedPurchase
    const { caller } = input as { caller: Caller }
    return progress.waitForEnd(caller.accountId, purchase_id, signal)
  }
}
