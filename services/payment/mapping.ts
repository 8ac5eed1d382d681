import type { Payment as Row } from '../../prisma/payment/client/client.ts'
import type { Payment, PaymentStatus } from '../../shared/contracts/payment.ts'
import type { Refund, RefundRecord, RefundStatus } from '../../shared/contracts/refund.ts'
import type { StoredRefund } from './refund-repository.ts'

export function toPayment(row: Row): Payment {
  return {
    id: row.id,
    status: row.status as PaymentStatus,
    amount: Number(row.amount),
    currency_code: row.currencyCode,
    method: row.method,
    refunded_amount: Number(row.refundedAmount),
    created_at: row.createdAt.toISOString(),
  }
}

export function toRefund(row: StoredRefund): Refund {
  return {
    id: row.id,
    payment_id: row.paymentId,
    status: row.status as RefundStatus,
    amount: Number(row.amount),
    currency_code: row.payment.currencyCode,
    restock: row.productIds.length > 0,
    reason: row.reason,
    failure_reason: row.failureReason,
    returned: row.providerReference !== null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }
}

export function toRefundRecord(row: StoredRefund): RefundRecord {
  return {
    ...toRefund(row),
    seller_id: row.sellerId,
    requested_by: row.requestedBy,
    provider_reference: row.providerReference,
  }
}
