import {
  type Payment as PaymentRow,
  type Prisma,
  PrismaClient,
} from '../../prisma/payment/client/client.ts'
import type { Rejected, Reply } from '../../shared/contracts/commands.ts'
import type { Payment, PaymentListQuery, PaymentStatus } from '../../shared/contracts/payment.ts'
import type { DatabaseConfig } from '../../shared/database/config.ts'
import { inRange, ofStatus } from '../../shared/database/list-range.ts'
import { connectDatabase, isDatabaseReachable } from '../../shared/database/prisma.ts'
import { type Sql, sql } from '../../shared/database/sql.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { answerOf, claimOf } from '../../shared/messaging/inbox.ts'
import { purgeInboxBatch } from '../../shared/messaging/inbox-retention.ts'
import { toPayment } from './mapping.ts'
import { createRefundStatements, refundsInTransaction } from './refund-repository.ts'

/** What the provider's answer makes of a PENDING payment. */
export type Outcome = { status: PaymentStatus; failureReason?: string }

export type { PaymentRow }

/** A payment and whose it is. */
export type OwnedPayment = Payment & { customerId: string }

/** A payment of which the provider did not say what became of it. */
export type OverduePayment = { id: string; customerId: string; method: string; reference: string }

/** What one run of the sweep asks for. */
const overdueBatch = 20

export type PaymentRepository = Awaited<ReturnType<typeof connectRepository>>
export type Transaction = ReturnType<typeof inTransaction>

/** The only access to the payment database. */
export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    ...createRefundStatements(prisma),

    /** For statements that are a transaction each. */
    sql: prisma as Sql,

    /** Runs `work` in one transaction: all its statements take effect, or none. */
    transaction: <T>(work: (tx: Transaction) => Promise<T>): Promise<T> =>
      prisma.$transaction((tx) => work(inTransaction(tx))),

    /** Writes the payment PENDING, in one statement with the command's claim; false when it was seen before. */
    async insertPayment(command: Command<'takePayment'>): Promise<boolean> {
      const { customer_id, amount, currency_code, method } = command.body
      const inserted = await prisma.$executeRaw`
        WITH claimed AS (${claimOf(command)})
        INSERT INTO payments (id, customer_id, status, amount, currency_code, method)
        SELECT ${command.purchaseId}::uuid, ${customer_id}::uuid, 'PENDING', ${amount}::bigint, ${currency_code}, ${method}
        FROM claimed`
      return inserted === 1
    },

    /**
     * Stores under which reference the provider knows the payment, unless there is one. The reference that counts;
     * null, and nothing written, when an undo or a reply came before.
     */
    async keepReference(
      { commandId, purchaseId }: Command<'takePayment'>,
      reference: string,
    ): Promise<string | null> {
      const [row] = await prisma.$queryRaw<{ reference: string }[]>`
        WITH open AS (
          SELECT 1 FROM inbox WHERE command_id = ${commandId} AND reply IS NULL AND NOT undone FOR UPDATE
        )
        UPDATE payments SET provider_reference = coalesce(provider_reference, ${reference}), updated_at = now()
        FROM open WHERE id = ${purchaseId}::uuid RETURNING provider_reference AS reference`
      return row?.reference ?? null
    },

    /** Stores outcome and reply in one statement; false, and nothing written, when an undo or a reply came before. */
    async settlePayment(
      { commandId, purchaseId }: Pick<Command<'takePayment'>, 'commandId' | 'purchaseId'>,
      reply: Reply<'takePayment'> | Rejected,
      { status, failureReason }: Outcome,
    ): Promise<boolean> {
      const settled = await prisma.$executeRaw`
        WITH answered AS (${answerOf({ commandId }, reply)})
        UPDATE payments SET status = ${status}, failure_reason = ${failureReason ?? null}, updated_at = now()
        FROM answered WHERE id = ${purchaseId}::uuid`
      return settled === 1
    },

    /** Commands to pay that were begun and have no answer yet. */
    countPending: (): Promise<number> => prisma.payment.count({ where: { status: 'PENDING' } }),

    /**
     * Payments that have been PENDING for so long and may have been captured, the longest first. Each is left to this
     * caller for as long again.
     */
    takeOverdue: (overdueMs: number): Promise<OverduePayment[]> =>
      prisma.$queryRaw`
        UPDATE payments SET updated_at = now() WHERE id IN (
          SELECT id FROM payments
          WHERE status = 'PENDING' AND provider_reference IS NOT NULL
            AND updated_at < now() - ${overdueMs}::int * interval '1 ms'
          ORDER BY updated_at LIMIT ${overdueBatch} FOR UPDATE SKIP LOCKED)
        RETURNING id, customer_id AS "customerId", method, provider_reference AS reference`,

    /** Of any customer. A cache may be in front of this one. */
    async findPayment(id: string): Promise<OwnedPayment | undefined> {
      const row = await prisma.payment.findUnique({ where: { id } })
      return row ? { ...toPayment(row), customerId: row.customerId } : undefined
    },

    /** The existing ones of any customer. Never from a cache. */
    findRows: (ids: string[]): Promise<PaymentRow[]> =>
      prisma.payment.findMany({ where: { id: { in: ids } } }),

    /** Newest first, those before `cursor`. */
    async listPayments(customerId: string, query: PaymentListQuery): Promise<Payment[]> {
      const rows = await prisma.payment.findMany({
        where: { customerId, ...ofStatus(query.status), ...inRange(query) },
        orderBy: { id: 'desc' },
        take: query.limit + 1,
      })
      return rows.map(toPayment)
    },

    /** Removes old rows of the inbox; those of purchases and refunds that are open here stay. */
    purgeInbox: (after: string) =>
      purgeInboxBatch(
        prisma,
        sql`SELECT id FROM payments WHERE status = 'PENDING'
          UNION ALL SELECT id FROM refunds WHERE status IN ('REQUESTED', 'PROCESSING')`,
        after,
      ),

    isReachable: () => isDatabaseReachable(prisma),
    close: () => prisma.$disconnect(),
  }
}

/** The statements of a transaction. */
function inTransaction(tx: Prisma.TransactionClient) {
  return {
    sql: tx as Sql,
    ...refundsInTransaction(tx),

    findPayment: (id: string) => tx.payment.findUnique({ where: { id } }),

    async setStatus(id: string, status: PaymentStatus): Promise<void> {
      await tx.payment.update({ where: { id }, data: { status } })
    },
  }
}
