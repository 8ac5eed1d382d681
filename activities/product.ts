import type { ReserveStock } from '../shared/contracts/commands.ts'
import { type ActivityDeps, ask } from './ask.ts'

/** What the saga asks of product. */
export function createProductActivities(deps: ActivityDeps) {
  return {
    reserveStock: (purchaseId: string, body: ReserveStock) =>
      ask(deps, 'reserveStock', purchaseId, body),
    releaseStock: (purchaseId: string) => ask(deps, 'releaseStock', purchaseId, {}),
  }
}
