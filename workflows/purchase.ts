// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import { CancellationScope, upsertSearchAttributes } from '@temporalio/workflow'
import type { PurchaseAccepted, PurchaseEnded } from '../shared/contracts/events.ts'
import { failedStep, purchaseStatus } from '../shared/contracts/search-attributes.ts'
import { steps } from '../shared/contracts/steps.ts'
import { createCompensations } from './compensations.ts'
import { announceEnd, reasonOf, type StepName, type StepSettings, take } from './steps.ts'

/*
 *   step             undo, added before its step runs
 *   reserveStock     releaseStock       product: stock -> held, all lines or none
 *   createOrder      cancelOrder        order:   PENDING
 *   takePayment      refundPayment      payment: CAPTURED, and its reply is the commit point
 *   announceEnd                         then order and product settle, and purchase shows it
 */
export async function purchase(
  accepted: PurchaseAccepted,
  settings: StepSettings,
): Promise<PurchaseEnded> {
  const { purchase_id: id, customer_id, lines, amount, currency_code } = accepted
  const end = { purchase_id: id, customer_id, reason: null, failed_step: null }
  let ended: PurchaseEnded = { ...end, status: 'COMPLETED' }
  const undos = createCompensations(settings)
  let step: StepName = 'reserveStock'
  let committed = false

  try {
    const stock = lines.map(({ product_id, quantity }) => ({ product_id, quantity }))
    undos.add('releaseStock', (to) => to.releaseStock(id))
    await take(step, settings, (to) => to.reserveStock(id, { lines: stock }))

    step = 'createOrder'
    const order = { customer_id, lines, amount, currency_code }
    undos.add('cancelOrder', (to) => to.cancelOrder(id))
    await take(step, settings, (to) => to.createOrder(id, order))

    step = 'takePayment'
    const payment = { customer_id, amount, currency_code, method: accepted.payment_method }
    undos.add('refundPayment', (to) => to.refundPayment(id))
    await take(step, settings, (to) => to.takePayment(id, payment))
    committed = true
  } catch (error) {
    const status = CancellationScope.current().consideredCancelled ? 'CANCELLED' : 'REJECTED'
    ended = { ...end, status, reason: reasonOf(error), failed_step: steps[step] }
  } finally {
    if (!committed) {
      upsertSearchAttributes([
        { key: purchaseStatus, value: ended.status },
        { key: failedStep, value: steps[step] },
      ])
      if (!(await undos.run())) {
        upsertSearchAttributes([{ key: purchaseStatus, value: 'NEEDS_ATTENTION' }])
        await undos.runStuck()
        upsertSearchAttributes([{ key: purchaseStatus, value: ended.status }])
      }
    }
  }

  await CancellationScope.nonCancellable(() => announceEnd(ended))
  return ended
}

/**
 * Takes the place of a purchase whose accepted event cannot be read. It has the purchase's workflow id, so no
 * later copy of the event can start the saga that was refused.
 */
export async function refusePurchase(purchaseId: string): Promise<PurchaseEnded> {
  const ended: PurchaseEnded = {
    purchase_id: purchaseId,
    customer_id: null,
    status: 'REJECTED',
    reason: 'invalid',
    failed_step: null,
  }
  await announceEnd(ended)
  return ended
}
