import { createOrderActivities } from './order.ts'
import { createPaymentActivities } from './payment.ts'
import { createProductActivities } from './product.ts'
import { createPurchaseActivities } from './purchase.ts'

export type Activities = ReturnType<typeof createActivities>

/** Every activity of the sagas, by the name that workflows call it. */
export function createActivities(deps: Parameters<typeof createPurchaseActivities>[0]) {
  return {
    ...createProductActivities(deps),
    ...createOrderActivities(deps),
    ...createPaymentActivities(deps),
    ...createPurchaseActivities(deps),
  }
}
