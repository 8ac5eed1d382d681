import { type ActivitiesOn, type ActivityDeps, ask } from './ask.ts'

/** What the sagas ask of product. */
export function createProductActivities(deps: ActivityDeps): ActivitiesOn<'product-commands'> {
  return {
    reserveStock: (purchaseId, body) => ask(deps, 'reserveStock', purchaseId, body),
    releaseStock: (purchaseId) => ask(deps, 'releaseStock', purchaseId, {}),
    returnStock: (purchaseId, body) => ask(deps, 'returnStock', purchaseId, body, body.refund_id),
  }
}
