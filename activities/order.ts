import type { CreateOrder } from '../shared/contracts/commands.ts'
import { type ActivityDeps, ask } from './ask.ts'

/** What the saga asks of order. */
export function createOrderActivities(deps: ActivityDeps) {
  return {
    createOrder: (purchaseId: string, body: CreateOrder) =>
      ask(deps, 'createOrder', purchaseId, body),
    cancelOrder: (purchaseId: string) => ask(deps, 'cancelOrder', purchaseId, {}),
  }
}
