import { z } from 'zod'
import { parseRequest } from '../../shared/grpc/request.ts'
import type {
  AttentionMessage,
  GrpcHandlers,
  PurchaseRecordMessage,
  PurchaseStateMessage,
  ReceiptMessage,
} from '../../shared/grpc/services.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import type { PurchaseRecord } from './records-repository.ts'
import type { PurchaseRow, Repository } from './repository.ts'
import type { ReceiptRow } from './sales-repository.ts'
import { isQueued } from './shown-status.ts'
import { toAccepted } from './views.ts'

const GetStates = z.object({ purchase_ids: z.array(z.uuid()).max(100) })
const OnePurchase = z.object({ purchase_id: z.uuid() })
const OneCustomer = z.object({ customer_id: z.uuid() })
const forgottenAtOnce = 1_000
const ListAttention = z.object({ limit: z.int().min(1).max(100) })

/** The purchase rows, for callers that start, restart or show a saga. */
export function createGrpcHandlers(
  repository: Pick<
    Repository,
    | 'findRows'
    | 'findRecord'
    | 'listAttention'
    | 'countOpen'
    | 'findReceipts'
    | 'countUnfinishedOf'
    | 'forgetCustomer'
  >,
): GrpcHandlers<'purchase'> {
  return {
    async GetStates(request) {
      const { purchase_ids } = parseRequest(GetStates, request)
      const rows = await repository.findRows(purchase_ids)
      return { states: rows.map(toState) }
    },
    async GetAccepted(request) {
      const { purchase_id } = parseRequest(OnePurchase, request)
      const [row] = await repository.findRows([purchase_id])
      if (!row) throw new AppError('not_found', 'no such purchase')
      return toAccepted(row)
    },
    async GetRecord(request) {
      const record = await repository.findRecord(parseRequest(OnePurchase, request).purchase_id)
      if (!record) throw new AppError('not_found', 'no such purchase')
      return toRecord(record)
    },
    async ListAttention(request) {
      const rows = await repository.listAttention(parseRequest(ListAttention, request).limit)
      return { purchases: rows.map(toAttention) }
    },
    async CountOpen() {
      const { oldestAt, needsAttention, ...counts } = await repository.countOpen()
      return { ...counts, oldest_at: oldestAt, needs_attention: needsAttention }
    },
    async GetReceipts(request) {
      const rows = await repository.findReceipts(parseRequest(GetStates, request).purchase_ids)
      return { receipts: rows.map(toReceipt) }
    },
    async ForgetCustomer(request) {
      const { customer_id } = parseRequest(OneCustomer, request)
      const unfinished = await repository.countUnfinishedOf(customer_id)
      if (unfinished > 0) return { unfinished, more: true }
      const removed = await repository.forgetCustomer(customer_id, forgottenAtOnce)
      return { unfinished, more: removed === forgottenAtOnce }
    },
  }
}

function toState(row: PurchaseRow): PurchaseStateMessage {
  return {
    purchase_id: row.id,
    customer_id: row.customerId,
    status: row.status,
    reason: row.reason ?? '',
    failed_step: row.failedStep ?? '',
    cancel_requested: row.cancelRequestedAt !== null,
    updated_at: row.updatedAt.getTime(),
    queued: isQueued(row),
  }
}

function toReceipt(row: ReceiptRow): ReceiptMessage {
  const { purchase_id, lines, amount, currency_code } = toAccepted(row)
  return {
    ...{ purchase_id, lines, amount, currency_code, status: row.status },
    delivery: row.delivery as ReceiptMessage['delivery'],
    sales: row.sales.map(({ sellerId, productIds }) => {
      return { seller_id: sellerId, product_ids: productIds }
    }),
  }
}

const timeOf = (at: Date | null): number => at?.getTime() ?? 0

function toRecord(row: PurchaseRecord): PurchaseRecordMessage {
  return {
    accepted: toAccepted(row),
    status: row.status,
    reason: row.reason ?? '',
    failed_step: row.failedStep ?? '',
    attention_reason: row.attentionReason ?? '',
    needs_attention_at: timeOf(row.needsAttentionAt),
    released_at: timeOf(row.releasedAt),
    published_at: timeOf(row.publishedAt),
    cancel_requested_at: timeOf(row.cancelRequestedAt),
    cancel_delivered_at: timeOf(row.cancelDeliveredAt),
    created_at: timeOf(row.createdAt),
    updated_at: timeOf(row.updatedAt),
    steps: row.steps.map(({ name, outcome, reason, at }) => ({
      name,
      outcome,
      reason: reason ?? '',
      at: timeOf(at),
    })),
    actions: row.actions.map(({ actionId, operator, action, step, note, at }) => ({
      action_id: actionId,
      operator,
      action,
      step: step ?? '',
      note: note ?? '',
      at: timeOf(at),
    })),
  }
}

function toAttention(row: PurchaseRow): AttentionMessage {
  return {
    purchase_id: row.id,
    customer_id: row.customerId,
    status: row.status,
    reason: row.attentionReason ?? '',
    since: timeOf(row.needsAttentionAt),
    amount: Number(row.amount),
    currency_code: row.currencyCode,
  }
}
