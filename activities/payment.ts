import type { TakePayment } from '../shared/contracts/commands.ts'
import { type ActivityDeps, ask } from './ask.ts'

/** What the saga asks of payment. */
export function createPaymentActivities(deps: ActivityDeps) {
  return {
    takePayment: (purchaseId: string, body: TakePayment) =>
      ask(deps, 'takePayment', purchaseId, body),
    refundPayment: (purchaseId: string) => ask(deps, 'refundPayment', purchaseId, {}),
  }
}
