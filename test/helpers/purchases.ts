import type { PurchaseAccepted } from '../../shared/contracts/events.ts'
import { newId } from '../../shared/contracts/ids.ts'

/** A new purchase. */
export function buildPurchase(): PurchaseAccepted {
  return {
    purchase_id: newId(),
    customer_id: newId(),
    lines: [{ product_id: newId(), quantity: 2, name: 'Green tea', unit_price: 125 }],
    amount: 250,
    currency_code: 'VND',
    payment_method: 'sim_ok',
  }
}
