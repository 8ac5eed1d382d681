import type {
  Payment as PaymentRow,
  Prisma,
  PrismaClient,
  Refund as RefundRow,
} from '../../prisma/payment/client/client.ts'
import type { RefundEnd } from '../../shared/contracts/commands.ts'
import type { ListQuery } from '../../shared/contracts/list.ts'
import type { RefundStatus } from '../../shared/contracts/refund.ts'
import { inRange, ofStatus } from '../../shared/database/list-range.ts'

export type StoredRefund = RefundRow & { payment: PaymentRow }

type NewRefund = Pick<
  RefundRow,
  | 'id'
  | 'paymentId'
  | 'sellerId'
  | 'requestedBy'
  | 'idempotencyKey'
  | 'bodyHash'
  | 'amount'
  | 'productIds'
  | 'reason'
>
/** Under which key of whose a refund was asked for. */
export type RefundKey = Pick<RefundRow, 'paymentId' | 'requestedBy' | 'idempotencyKey'>

type RefundsQuery = ListQuery & {
  status?: RefundStatus | undefined
  paymentId?: string | undefined
  requestedBy?: string | undefined
}

const withPayment = { payment: true } as const
/** What one run of the sweep asks for. */
const openBatch = 20

/** Statements on refunds that are a transaction each. */
export function createRefundStatements(prisma: PrismaClient) {
  return {
    findRefund: (id: string): Promise<StoredRefund | null> =>
      prisma.refund.findUnique({ where: { id }, include: withPayment }),

    findRefundByKey: (key: RefundKey): Promise<StoredRefund | null> =>
      prisma.refund.findUnique({
        where: { paymentId_requestedBy_idempotencyKey: key },
        include: withPayment,
      }),

    /** Newest first; one more than a page shows, to know whether there is another. */
    listRefunds: ({ status, paymentId, requestedBy, ...query }: RefundsQuery) =>
      prisma.refund.findMany({
        where: { paymentId, requestedBy, ...ofStatus(status), ...inRange(query) },
        orderBy: { id: 'desc' },
        take: query.limit + 1,
        include: withPayment,
      }),

    /** Whether this account or operator has asked for a refund of a payment. */
    async hasRefundsOf(paymentId: string, requestedBy: string): Promise<boolean> {
      return (await prisma.refund.findFirst({ where: { paymentId, requestedBy } })) !== null
    },

    /**
     * Refunds that have not ended, and whose saga was not asked for lately: the longest first. Each is left to this
     * caller for as long again. One whose saga has never begun comes sooner.
     */
    async takeOpenRefunds(requestedMs: number, processingMs: number): Promise<StoredRefund[]> {
      const rows = await prisma.$queryRaw<{ id: string }[]>`
        UPDATE refunds SET asked_at = now() WHERE id IN (
          SELECT id FROM refunds
          WHERE status IN ('REQUESTED', 'PROCESSING') AND asked_at < now() - interval '1 ms' *
            CASE status WHEN 'REQUESTED' THEN ${requestedMs}::int ELSE ${processingMs}::int END
          ORDER BY asked_at LIMIT ${openBatch} FOR UPDATE SKIP LOCKED)
        RETURNING id`
      return prisma.refund.findMany({
        where: { id: { in: rows.map(({ id }) => id) } },
        include: withPayment,
      })
    },
  }
}

/** The same within a transaction. A payment is locked after the refund, or alone before one is added. */
export function refundsInTransaction(tx: Prisma.TransactionClient) {
  return {
    async lockPayment(id: string): Promise<PaymentRow | null> {
      await tx.$queryRaw`SELECT 1 FROM payments WHERE id = ${id}::uuid FOR NO KEY UPDATE`
      return tx.payment.findUnique({ where: { id } })
    },

    findRefundByKey: (key: RefundKey): Promise<StoredRefund | null> =>
      tx.refund.findUnique({
        where: { paymentId_requestedBy_idempotencyKey: key },
        include: withPayment,
      }),

    /** How many refunds a payment has, and how much of it those of a seller ask for that did not fail. */
    async sumRefunds(
      paymentId: string,
      sellerId: string | null,
    ): Promise<{ count: number; claimed: number }> {
      const rows = await tx.$queryRaw<{ count: number; claimed: number }[]>`
        SELECT count(*)::int AS count, coalesce(sum(amount) FILTER (
          WHERE seller_id = ${sellerId}::uuid AND status <> 'FAILED'), 0)::float8 AS claimed
        FROM refunds WHERE payment_id = ${paymentId}::uuid`
      return rows[0] ?? { count: 0, claimed: 0 }
    },

    /** Stores a refund and claims its amount of the payment, which a CHECK bounds. */
    async addRefund(refund: NewRefund): Promise<StoredRefund> {
      await tx.payment.update({
        where: { id: refund.paymentId },
        data: { refundsClaimed: { increment: refund.amount } },
      })
      return tx.refund.create({ data: { ...refund, status: 'REQUESTED' }, include: withPayment })
    },

    /** Notes that its saga has begun; null when there is no such refund. */
    async beginRefund(id: string): Promise<StoredRefund | null> {
      await tx.refund.updateMany({
        where: { id, status: 'REQUESTED' },
        data: { status: 'PROCESSING' },
      })
      return tx.refund.findUnique({ where: { id }, include: withPayment })
    },

    /** Stores once that the provider has given the money back. */
    async noteReturned(id: string, reference: string): Promise<void> {
      await tx.$executeRaw`
        WITH returned AS (
          UPDATE refunds SET provider_reference = ${reference}, updated_at = now()
          WHERE id = ${id}::uuid AND provider_reference IS NULL RETURNING payment_id, amount
        )
        UPDATE payments SET refunded_amount = refunded_amount + returned.amount, updated_at = now()
        FROM returned WHERE payments.id = returned.payment_id`
    },

    async noteRefused(id: string, reason: string): Promise<void> {
      await tx.refund.updateMany({ where: { id }, data: { failureReason: reason } })
    },

    /** Stores once how a refund ended. The amount of a failed one can be asked for again. */
    async endRefund(id: string, status: RefundEnd): Promise<void> {
      await tx.$executeRaw`
        WITH ended AS (
          UPDATE refunds SET status = ${status}, updated_at = now()
          WHERE id = ${id}::uuid AND status IN ('REQUESTED', 'PROCESSING') RETURNING payment_id, amount
        )
        UPDATE payments SET refunds_claimed = refunds_claimed - ended.amount, updated_at = now()
        FROM ended WHERE payments.id = ended.payment_id AND ${status} = 'FAILED'`
    },
  }
}
