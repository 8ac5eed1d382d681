import type { RefundRequested } from '../../shared/contracts/events.ts'
import { newId } from '../../shared/contracts/ids.ts'

/** A refund as payment asks for it. */
export function buildRefund(overrides: Partial<RefundRequested> = {}): RefundRequested {
  return {
    refund_id: newId(),
    purchase_id: newId(),
    customer_id: newId(),
    seller_id: newId(),
    amount: 125,
    currency_code: 'VND',
    product_ids: [newId()],
    ...overrides,
  }
}
