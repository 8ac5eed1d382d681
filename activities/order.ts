import { type ActivitiesOn, type ActivityDeps, ask } from './ask.ts'

/** What the saga asks of order. */
export function createOrderActivities(deps: ActivityDeps): ActivitiesOn<'order-commands'> {
  return {
    createOrder: (purchaseId, body) => ask(deps, 'createOrder', purchaseId, body),
    cancelOrder: (purchaseId) => ask(deps, 'cancelOrder', purchaseId, {}),
  }
}
