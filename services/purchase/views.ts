import type { PurchaseAccepted } from '../../shared/contracts/events.ts'
import type { AcceptedPurchase, Purchase, PurchaseStep } from '../../shared/contracts/purchase.ts'
import { steps } from '../../shared/contracts/steps.ts'
import { apiPrefix } from '../../shared/route.ts'
import type { PurchaseRow, PurchaseWithSteps } from './repository.ts'

type StoredStep = PurchaseWithSteps['steps'][number]

/** What whoever made the purchase was answered. */
export function acceptance(
  row: Pick<PurchaseRow, 'id' | 'amount' | 'currencyCode'>,
): AcceptedPurchase {
  return {
    purchase_id: row.id,
    status: 'ACCEPTED',
    amount: Number(row.amount),
    currency_code: row.currencyCode,
    links: { self: `${apiPrefix}/purchases/${row.id}` },
  }
}

export function hasEnded({ status }: PurchaseRow): boolean {
  return status !== 'ACCEPTED' && status !== 'PROCESSING'
}

export function statusOf(row: PurchaseRow): Purchase['status'] {
  if (row.cancelRequestedAt !== null && !hasEnded(row)) return 'CANCELLING'
  return row.status as Purchase['status']
}

/** A declined payment is one that the customer can look at. */
function leavesARecord({ outcome, reason }: StoredStep): boolean {
  return outcome === 'done' || reason === 'payment_declined'
}

export function toPurchase(row: PurchaseWithSteps): Purchase {
  const made = new Set(row.steps.filter(leavesARecord).map(({ name }) => name))
  const { links, ...rest } = acceptance(row)
  return {
    ...rest,
    status: statusOf(row),
    links: {
      ...links,
      ...(made.has(steps.createOrder) && { order: `${apiPrefix}/orders/${row.id}` }),
      ...(made.has(steps.takePayment) && { payment: `${apiPrefix}/payments/${row.id}` }),
    },
    lines: row.lines as Purchase['lines'],
    payment_method: row.paymentMethod,
    reason: row.reason,
    failed_step: row.failedStep,
    needs_attention: row.needsAttentionAt !== null,
    steps: row.steps.map(toStep),
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }
}

export function toStep({ name, outcome, reason, at }: StoredStep): PurchaseStep {
  return { name, outcome, reason, at: at.toISOString() }
}

/** The event that a purchase was accepted with. */
export function toAccepted(row: PurchaseRow): PurchaseAccepted {
  return {
    purchase_id: row.id,
    customer_id: row.customerId,
    lines: row.lines as PurchaseAccepted['lines'],
    amount: Number(row.amount),
    currency_code: row.currencyCode,
    payment_method: row.paymentMethod,
  }
}
