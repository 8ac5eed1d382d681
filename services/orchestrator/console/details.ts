import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import { purchaseWorkflowId } from '../../../shared/contracts/ids.ts'
import type { SagaDetails } from '../../../shared/contracts/saga-details.ts'
import type { GrpcClient } from '../../../shared/grpc/client.ts'
import type { PurchaseRecordMessage } from '../../../shared/grpc/services.ts'
import { AppError } from '../../../shared/runtime/errors.ts'
import type { SagaView } from '../saga/view.ts'
import { timelineOf } from './timeline.ts'

/** Of a history: a saga that is retried for days has more, and the Temporal Web UI shows all of it. */
const maxEvents = 1_000
const historyDeadlineMs = 5_000

type Deps = {
  client: Client
  view: Pick<SagaView, 'get'>
  purchases: Pick<GrpcClient<'purchase'>, 'GetRecord'>
  orders: Pick<GrpcClient<'order'>, 'GetOrders'>
  payments: Pick<GrpcClient<'payment'>, 'GetPayments'>
  products: Pick<GrpcClient<'product'>, 'GetHolds'>
  /** Where the Temporal Web UI shows the namespace. */
  temporalUrl: string
}

const isoOf = (ms: number): string => new Date(ms).toISOString()
const timeOrNull = (ms: number): string | null => (ms === 0 ? null : isoOf(ms))
const textOrNull = (text: string): string | null => text || null

/**
 * One saga with what each service stores of its purchase. The services are asked at once, each with its deadline; one
 * that does not answer is named and hides nothing of the others.
 */
export function createDetails(deps: Deps) {
  async function timeline(
    purchaseId: string,
  ): Promise<Pick<SagaDetails, 'timeline' | 'truncated'>> {
    const { workflowService, options } = deps.client.workflow
    const page = await deps.client
      .withDeadline(Date.now() + historyDeadlineMs, () =>
        workflowService.getWorkflowExecutionHistory({
          namespace: options.namespace,
          execution: { workflowId: purchaseWorkflowId(purchaseId) },
          maximumPageSize: maxEvents,
        }),
      )
      .catch((error: unknown) => {
        // The code of gRPC for what does not exist.
        if (error instanceof WorkflowNotFoundError || codeOf(error) === 5) return undefined
        throw error
      })
    const events = page?.history?.events ?? []
    return { timeline: timelineOf(events), truncated: (page?.nextPageToken?.length ?? 0) > 0 }
  }

  return async (purchaseId: string): Promise<SagaDetails> => {
    const unavailable: string[] = []
    async function part<T>(service: string, ask: Promise<T>, missing: T): Promise<T> {
      try {
        return await ask
      } catch (error) {
        if (error instanceof AppError && error.kind === 'not_found') return missing
        unavailable.push(service)
        return missing
      }
    }
    const noTimeline = { timeline: [], truncated: false }
    const [saga, history, record, order, payment, holds] = await Promise.all([
      // The one part without which there is nothing to show.
      deps.view.get(purchaseId),
      part('temporal', timeline(purchaseId), noTimeline),
      part('purchase', deps.purchases.GetRecord({ purchase_id: purchaseId }), undefined),
      part('order', one(deps.orders.GetOrders({ order_ids: [purchaseId] }), 'orders'), undefined),
      part(
        'payment',
        one(deps.payments.GetPayments({ payment_ids: [purchaseId] }), 'payments'),
        undefined,
      ),
      part('product', deps.products.GetHolds({ purchase_id: purchaseId }), { holds: [] }),
    ])
    const workflow = `workflows/${purchaseWorkflowId(purchaseId)}/${saga.run_id}/history`
    const details = {
      saga,
      ...history,
      purchase: record ? toRecord(record) : null,
      order: order ? withTimes(order) : null,
      payment: payment
        ? {
            ...withTimes(payment),
            provider_reference: textOrNull(payment.provider_reference),
            failure_reason: textOrNull(payment.failure_reason),
            provider_status: textOrNull(payment.provider_status),
          }
        : null,
      stock: holds.holds.map((hold) => ({ ...hold, updated_at: isoOf(hold.updated_at) })),
      unavailable: unavailable.sort(),
      temporal_url: saga.run_id === null ? null : `${deps.temporalUrl}/${workflow}`,
    }
    return { ...details, final: isFinal(details) }
  }
}

function isFinal({
  saga,
  purchase,
  order,
  stock,
  unavailable,
}: Omit<SagaDetails, 'final'>): boolean {
  return (
    saga.state !== 'RUNNING' &&
    unavailable.length === 0 &&
    purchase !== null &&
    purchase.needs_attention_at === null &&
    !['ACCEPTED', 'PROCESSING'].includes(purchase.status) &&
    order?.status !== 'PENDING' &&
    stock.every(({ status }) => status !== 'HELD')
  )
}

async function one<K extends string, T>(
  answer: Promise<Record<K, T[]>>,
  field: K,
): Promise<T | undefined> {
  return (await answer)[field][0]
}

function withTimes<T extends { created_at: number; updated_at: number }>(row: T) {
  return { ...row, created_at: isoOf(row.created_at), updated_at: isoOf(row.updated_at) }
}

function toRecord(record: PurchaseRecordMessage): NonNullable<SagaDetails['purchase']> {
  const { accepted } = record
  return {
    customer_id: accepted.customer_id,
    status: record.status,
    reason: textOrNull(record.reason),
    failed_step: textOrNull(record.failed_step),
    attention_reason: textOrNull(record.attention_reason),
    needs_attention_at: timeOrNull(record.needs_attention_at),
    released_at: timeOrNull(record.released_at),
    published_at: timeOrNull(record.published_at),
    cancel_requested_at: timeOrNull(record.cancel_requested_at),
    cancel_delivered_at: timeOrNull(record.cancel_delivered_at),
    created_at: isoOf(record.created_at),
    updated_at: isoOf(record.updated_at),
    amount: accepted.amount,
    currency_code: accepted.currency_code,
    payment_method: accepted.payment_method,
    lines: accepted.lines,
    steps: record.steps.map(({ reason, at, ...step }) => ({
      ...step,
      reason: textOrNull(reason),
      at: isoOf(at),
    })),
    actions: record.actions.map(({ step, note, at, ...action }) => ({
      ...action,
      step: textOrNull(step),
      note: textOrNull(note),
      at: isoOf(at),
    })),
  }
}

function codeOf(error: unknown): number | undefined {
  return (error as { code?: number }).code
}
