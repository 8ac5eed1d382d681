import { createHash } from 'node:crypto'
import { newId } from '../../shared/contracts/ids.ts'
import { page } from '../../shared/contracts/list.ts'
import type {
  OperatorRefund,
  Refund,
  RefundListQuery,
  RefundRecord,
  RefundRecordsQuery,
  RequestRefund,
} from '../../shared/contracts/refund.ts'
import type { GrpcClient } from '../../shared/grpc/client.ts'
import type { ReceiptMessage, StartRefundMessage } from '../../shared/grpc/services.ts'
import { AppError, unprocessable } from '../../shared/runtime/errors.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { toRefund, toRefundRecord } from './mapping.ts'
import type { StoredRefund } from './refund-repository.ts'
import type { PaymentRepository } from './repository.ts'

/** Of one payment, by all who ask. */
const maxRefunds = 100
/** A refund whose saga did not begin is started again after this, one that is under way is looked after. */
const requestedMs = 3_000
const processingMs = 60_000

type Deps = {
  repository: PaymentRepository
  purchases: Pick<GrpcClient<'purchase'>, 'GetReceipts'>
  sagas: Pick<GrpcClient<'saga'>, 'StartRefund'>
  logger: Logger
}
/** Who asks, and for whose lines: an operator's refund is about all of them. */
type Requester = { requestedBy: string; sellerId: string | null }
type Scope = { productIds: string[]; amount: number }

/** Refunds of completed purchases: who may ask for which, and how they become sagas. */
export function createRefunds({ repository, purchases, sagas, logger }: Deps) {
  /** Throws when there is no such payment for the caller, or what was bought with it is not complete. */
  async function scopeOf(paymentId: string, { sellerId }: Requester): Promise<Scope> {
    const [payment] = await repository.findRows([paymentId])
    if (!payment) throw noPayment()
    const { receipts } = await purchases.GetReceipts({ purchase_ids: [paymentId] })
    const [receipt] = receipts
    const sale = receipt?.sales.find(({ seller_id }) => seller_id === sellerId)
    if (sellerId && !sale) {
      if (payment.customerId !== sellerId) throw noPayment()
      throw new AppError('forbidden', 'only the seller and operators refund a payment')
    }
    if (receipt?.status !== 'COMPLETED') {
      throw new AppError('conflict', 'only a payment of a completed purchase is refunded')
    }
    return sale ? ofSale(receipt, sale.product_ids) : ofAll(receipt)
  }

  /** Stores a refund once per key, and starts its saga. */
  async function request(
    paymentId: string,
    requester: Requester,
    idempotencyKey: string,
    { amount, restock, reason }: RequestRefund,
  ): Promise<StoredRefund> {
    const key = { paymentId, requestedBy: requester.requestedBy, idempotencyKey }
    const bodyHash = createHash('sha256')
      .update(JSON.stringify([amount ?? null, restock, reason]))
      .digest('base64url')
    const known = await repository.findRefundByKey(key)
    if (known) return repeated(known, bodyHash)
    const scope = await scopeOf(paymentId, requester)
    const { sellerId } = requester
    const { refund, isNew } = await repository.transaction(async (tx) => {
      const payment = await tx.lockPayment(paymentId)
      const earlier = await tx.findRefundByKey(key)
      if (earlier) return { refund: repeated(earlier, bodyHash), isNew: false }
      if (payment?.status !== 'CAPTURED') {
        throw new AppError('conflict', 'only a payment that is CAPTURED is refunded')
      }
      const { count, claimed } = await tx.sumRefunds(paymentId, sellerId)
      if (count >= maxRefunds) {
        throw new AppError('conflict', `the payment has ${maxRefunds} refunds already`)
      }
      const left = Math.min(
        Number(payment.amount - payment.refundsClaimed),
        sellerId ? scope.amount - claimed : scope.amount,
      )
      if (left <= 0) throw new AppError('conflict', 'nothing is left to refund')
      if (amount !== undefined && amount > left) {
        throw unprocessable('amount', `is more than the ${left} that are left to refund`)
      }
      const added = await tx.addRefund({
        ...{ id: newId(), ...key, sellerId, bodyHash, reason },
        amount: BigInt(amount ?? left),
        productIds: restock ? scope.productIds : [],
      })
      return { refund: added, isNew: true }
    })
    if (isNew) {
      const { id, requestedBy } = refund
      const fields = { refund_id: id, purchase_id: paymentId, requested_by: requestedBy }
      logger.info({ ...fields, amount: Number(refund.amount), restock }, 'refund requested')
      // Not awaited: the row is what counts, and the sweep starts what this does not.
      void startSaga(refund)
    }
    return refund
  }

  async function startSaga(refund: StoredRefund): Promise<void> {
    const fields = { refund_id: refund.id, purchase_id: refund.paymentId }
    try {
      const { state } = await sagas.StartRefund(toStart(refund))
      if (state === 'ENDED') logger.error(fields, 'refund is open although its saga has ended')
    } catch (err) {
      logger.warn({ err, ...fields }, 'refund saga not started: left to the sweep')
    }
  }

  return {
    async requestBySeller(
      accountId: string,
      paymentId: string,
      idempotencyKey: string,
      body: RequestRefund,
    ): Promise<Refund> {
      const requester = { requestedBy: accountId, sellerId: accountId }
      return toRefund(await request(paymentId, requester, idempotencyKey, body))
    },

    async requestByOperator(
      operator: string,
      idempotencyKey: string,
      { payment_id, ...body }: OperatorRefund,
    ): Promise<RefundRecord> {
      const requester = { requestedBy: operator, sellerId: null }
      return toRefundRecord(await request(payment_id, requester, idempotencyKey, body))
    },

    /** All refunds for the customer of the payment, and the own ones for anyone else. */
    async listOf(accountId: string, paymentId: string, query: RefundListQuery) {
      const [payment] = await repository.findRows([paymentId])
      if (!payment) throw noPayment()
      const isCustomer = payment.customerId === accountId
      if (!isCustomer && !(await repository.hasRefundsOf(paymentId, accountId))) throw noPayment()
      const own = isCustomer ? {} : { requestedBy: accountId }
      const rows = await repository.listRefunds({ ...query, paymentId, ...own })
      const { items, next_cursor } = page(rows, query.limit)
      return { items: items.map(toRefund), next_cursor }
    },

    async listRecords({ payment_id: paymentId, ...query }: RefundRecordsQuery) {
      const rows = await repository.listRefunds({ ...query, paymentId })
      const { items, next_cursor } = page(rows, query.limit)
      return { items: items.map(toRefundRecord), next_cursor }
    },

    async getRecord(id: string): Promise<RefundRecord> {
      const found = await repository.findRefund(id)
      if (!found) throw new AppError('not_found', 'there is no such refund')
      return toRefundRecord(found)
    },

    /** Starts the sagas that did not begin, and has those that are missing or were ended from outside started again. */
    async startOpen(): Promise<void> {
      for (const refund of await repository.takeOpenRefunds(requestedMs, processingMs)) {
        await startSaga(refund)
      }
    },
  }
}

export type Refunds = ReturnType<typeof createRefunds>

const noPayment = () => new AppError('not_found', 'there is no such payment')

function repeated(refund: StoredRefund, bodyHash: string): StoredRefund {
  if (refund.bodyHash === bodyHash) return refund
  throw unprocessable('idempotency-key', 'was used with another request')
}

function ofSale(receipt: ReceiptMessage, productIds: string[]): Scope {
  const own = receipt.lines.filter(({ product_id }) => productIds.includes(product_id))
  return ofAll({ lines: own })
}

function ofAll({ lines }: Pick<ReceiptMessage, 'lines'>): Scope {
  return {
    productIds: lines.map(({ product_id }) => product_id),
    amount: lines.reduce((sum, { quantity, unit_price }) => sum + quantity * unit_price, 0),
  }
}

function toStart({
  id,
  paymentId,
  sellerId,
  amount,
  productIds,
  payment,
}: StoredRefund): StartRefundMessage {
  return {
    refund_id: id,
    purchase_id: paymentId,
    customer_id: payment.customerId,
    seller_id: sellerId ?? '',
    amount: Number(amount),
    currency_code: payment.currencyCode,
    product_ids: productIds,
  }
}
