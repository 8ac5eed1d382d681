import { type ActivitiesOn, type ActivityDeps, ask } from './ask.ts'

/** What the sagas ask of payment. */
export function createPaymentActivities(deps: ActivityDeps): ActivitiesOn<'payment-commands'> {
  return {
    takePayment: (purchaseId, body) => ask(deps, 'takePayment', purchaseId, body),
    refundPayment: (purchaseId) => ask(deps, 'refundPayment', purchaseId, {}),
    returnMoney: (purchaseId, body) => ask(deps, 'returnMoney', purchaseId, body, body.refund_id),
    closeRefund: (purchaseId, body) => ask(deps, 'closeRefund', purchaseId, body, body.refund_id),
  }
}
