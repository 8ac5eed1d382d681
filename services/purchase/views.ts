import type { PurchaseAccepted } from '../../shared/contracts/events.ts'
import type {
  AcceptedPurchase,
  Purchase,
  PurchaseStep,
  Sale,
} from '../../shared/contracts/purchase.ts'
import { apiPrefix } from '../../shared/contracts/route.ts'
import { commandSteps } from '../../shared/contracts/steps.ts'
import type { PurchaseRow, PurchaseWithSteps } from './repository.ts'
import type { SaleRow } from './sales-repository.ts'
import { hasEnded, statusOf } from './shown-status.ts'

type StoredStep = PurchaseWithSteps['steps'][number]

/** How far a purchase is. `steps` by sequence. */
export type KnownProgress = {
  id: string
  customerId: string
  ended: boolean
  steps: { sequence: number; step: PurchaseStep }[]
}

/** The answer to the request that made the purchase. */
export function acceptance(
  row: Pick<PurchaseRow, 'id' | 'amount' | 'currencyCode'>,
): AcceptedPurchase {
  const self = `${apiPrefix}/purchases/${row.id}`
  return {
    purchase_id: row.id,
    status: 'ACCEPTED',
    amount: Number(row.amount),
    currency_code: row.currencyCode,
    links: { self, events: `${self}/events`, cancel: `${self}/cancel` },
  }
}

/** A declined payment is one that the customer can look at. */
function leavesARecord({ outcome, reason }: StoredStep): boolean {
  return outcome === 'done' || reason === 'payment_declined'
}

export function toPurchase(row: PurchaseWithSteps): Purchase {
  const made = new Set(row.steps.filter(leavesARecord).map(({ name }) => name))
  const { links, ...rest } = acceptance(row)
  const { cancel, ...lasting } = links
  return {
    ...rest,
    status: statusOf(row),
    links: {
      ...lasting,
      ...(!hasEnded(row) && { cancel }),
      ...(made.has(commandSteps.createOrder.step) && { order: `${apiPrefix}/orders/${row.id}` }),
      ...(made.has(commandSteps.takePayment.step) && {
        payment: `${apiPrefix}/payments/${row.id}`,
      }),
    },
    lines: row.lines as Purchase['lines'],
    delivery: row.delivery as Purchase['delivery'],
    payment_method: row.paymentMethod,
    reason: row.reason,
    failed_step: row.failedStep,
    needs_attention: row.needsAttentionAt !== null,
    refunded_amount: Number(row.refundedAmount),
    steps: row.steps.map(toStep),
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }
}

/** A seller sees the own lines, and the address as soon as there is something to deliver. */
export function toSale({ purchase, productIds, refundedAmount }: SaleRow): Sale {
  const own = new Set(productIds)
  const lines = (purchase.lines as Sale['lines']).filter(({ product_id }) => own.has(product_id))
  return {
    purchase_id: purchase.id,
    status: statusOf(purchase),
    lines,
    amount: lines.reduce((sum, line) => sum + line.quantity * line.unit_price, 0),
    currency_code: purchase.currencyCode,
    refunded_amount: Number(refundedAmount),
    delivery: purchase.status === 'COMPLETED' ? (purchase.delivery as Sale['delivery']) : null,
    created_at: purchase.createdAt.toISOString(),
    updated_at: purchase.updatedAt.toISOString(),
  }
}

function toStep({ name, outcome, reason, at }: StoredStep): PurchaseStep {
  return { name, outcome, reason, at: at.toISOString() }
}

export function toKnown(row: PurchaseWithSteps): KnownProgress {
  return {
    id: row.id,
    customerId: row.customerId,
    ended: hasEnded(row),
    steps: row.steps.map((step) => ({ sequence: step.sequence, step: toStep(step) })),
  }
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
