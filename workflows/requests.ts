// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import type { Request } from '../shared/contracts/commands.ts'
import type { PurchaseAccepted } from '../shared/contracts/events.ts'
import type { DoName } from '../shared/contracts/steps.ts'

/** What each step asks of its participant: just what it needs of the purchase. */
export const requestOf: { [N in DoName]: (accepted: PurchaseAccepted) => Request<N> } = {
  reserveStock: ({ lines }) => ({
    lines: lines.map(({ product_id, quantity }) => ({ product_id, quantity })),
  }),
  createOrder: ({ customer_id, lines, amount, currency_code }) => ({
    customer_id,
    lines,
    amount,
    currency_code,
  }),
  takePayment: ({ customer_id, amount, currency_code, payment_method: method }) => ({
    customer_id,
    amount,
    currency_code,
    method,
  }),
}
