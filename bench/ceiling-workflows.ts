// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow'
import type { PurchaseAccepted, PurchaseEnded } from '../shared/contracts/events.ts'
import type { CeilingActivities } from './ceiling.ts'

/** The four steps of a purchase, as any workflow would take them: nothing to undo, nobody to ask. */
async function takeSteps(
  { purchase_id: id, customer_id, lines, amount, currency_code, payment_method }: PurchaseAccepted,
  activities: (step: string) => CeilingActivities,
): Promise<PurchaseEnded> {
  const stock = lines.map(({ product_id, quantity }) => ({ product_id, quantity }))
  await activities('reserve-stock').reserveStock(id, { lines: stock })
  await activities('create-order').createOrder(id, { customer_id, lines, amount, currency_code })
  const payment = { customer_id, amount, currency_code, method: payment_method }
  await activities('take-payment').takePayment(id, payment)
  const ended: PurchaseEnded = {
    purchase_id: id,
    customer_id,
    status: 'COMPLETED',
    reason: null,
    failed_step: null,
  }
  await activities('announce-end').announceEnd(ended)
  return ended
}

const startToCloseTimeout = '10 s'

export function plainSteps(accepted: PurchaseAccepted): Promise<PurchaseEnded> {
  return takeSteps(accepted, (activityId) => proxyActivities({ activityId, startToCloseTimeout }))
}

export function localSteps(accepted: PurchaseAccepted): Promise<PurchaseEnded> {
  return takeSteps(accepted, () => proxyLocalActivities({ startToCloseTimeout }))
}
