import { PrismaClient, type Payment as Row } from '../../prisma/payment/client/client.ts'
import type { Rejected, Reply } from '../../shared/contracts/commands.ts'
import type { Payment, PaymentStatus } from '../../shared/contracts/payment.ts'
import { claim, entomb, type Sql, storeReply } from '../../shared/inbox.ts'
import type { Command } from '../../shared/participant.ts'
import { connectDatabase, type DatabaseConfig, databaseAnswers } from '../../shared/prisma.ts'

export type TakeReply = Reply<'takePayment'>
export type RefundReply = Reply<'refundPayment'>

/** What the provider's answer makes of a PENDING payment. */
export type Outcome = { status: PaymentStatus; providerReference?: string; failureReason?: string }

/** A payment and whose it is. */
export type OwnedPayment = Payment & { customerId: string }

export type PaymentRepository = Awaited<ReturnType<typeof connectRepository>>

const done = { outcome: 'done' } as const

export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    /** Writes the payment PENDING, once. Returns the reply if the command has one already. */
    async beginTake(command: Command<'takePayment'>): Promise<TakeReply | Rejected | null> {
      if (await insertPayment(prisma, command)) return null
      return prisma.$transaction(async (tx) => {
        const claimed = await claim(tx, command)
        if (claimed.claimed) throw new Error('the command was claimed and is free now')
        return claimed.reply
      })
    },

    /** Stores the reply with the payment's outcome. An undo or a reply that came meanwhile wins. */
    async endTake(
      command: Command<'takePayment'>,
      reply: TakeReply,
      outcome?: Outcome,
    ): Promise<TakeReply | Rejected> {
      if (outcome && (await settlePayment(prisma, command, reply, outcome))) return reply
      return prisma.$transaction(async (tx) => {
        const claimed = await claim(tx, command)
        if (!claimed.claimed && claimed.reply) return claimed.reply
        if (outcome) await tx.payment.update({ where: { id: command.purchaseId }, data: outcome })
        await storeReply(tx, command, reply)
        return reply
      })
    },

    /** Leaves the tombstone for the do. Returns the reply if there is nothing to give back, or no longer. */
    beginRefund: (command: Command<'refundPayment'>): Promise<RefundReply | null> =>
      prisma.$transaction(async (tx) => {
        const claimed = await claim(tx, command)
        if (!claimed.claimed && claimed.reply) return done
        await entomb(tx, command)
        const payment = await tx.payment.findUnique({ where: { id: command.purchaseId } })
        if (payment?.status === 'PENDING' || payment?.status === 'CAPTURED') return null
        await storeReply(tx, command, done)
        return done
      }),

    endRefund: (
      command: Command<'refundPayment'>,
      status: 'VOIDED' | 'REFUNDED',
    ): Promise<RefundReply> =>
      prisma.$transaction(async (tx) => {
        await tx.payment.update({ where: { id: command.purchaseId }, data: { status } })
        await storeReply(tx, command, done)
        return done
      }),

    /** Whoever owns it. A cache may stand in front of this one. */
    async findPayment(id: string): Promise<OwnedPayment | undefined> {
      const row = await prisma.payment.findUnique({ where: { id } })
      return row ? { ...toPayment(row), customerId: row.customerId } : undefined
    },

    /** Newest first, those before `cursor`. */
    async listPayments(customerId: string, take: number, cursor?: string): Promise<Payment[]> {
      const rows = await prisma.payment.findMany({
        where: { customerId, ...(cursor && { id: { lt: cursor } }) },
        orderBy: { id: 'desc' },
        take,
      })
      return rows.map(toPayment)
    },

    answers: () => databaseAnswers(prisma),
    close: () => prisma.$disconnect(),
  }
}

/** Claims the command and writes the payment, in one statement; false, and nothing written, when it was seen before. */
async function insertPayment(
  sql: Pick<Sql, '$executeRaw'>,
  { commandId, purchaseId, body }: Command<'takePayment'>,
): Promise<boolean> {
  const { customer_id, amount, currency_code, method } = body
  const inserted = await sql.$executeRaw`
    WITH claimed AS (
      INSERT INTO inbox (command_id) VALUES (${commandId})
      ON CONFLICT DO NOTHING RETURNING ${purchaseId}::uuid AS id
    )
    INSERT INTO payments (id, customer_id, status, amount, currency_code, method)
    SELECT id, ${customer_id}::uuid, 'PENDING', ${amount}::bigint, ${currency_code}, ${method} FROM claimed`
  return inserted === 1
}

/** Stores outcome and reply in one statement; false, and nothing written, when an undo or a reply came before. */
async function settlePayment(
  sql: Pick<Sql, '$executeRaw'>,
  { commandId, purchaseId }: Command<'takePayment'>,
  reply: TakeReply,
  { status, providerReference, failureReason }: Outcome,
): Promise<boolean> {
  const settled = await sql.$executeRaw`
    WITH answered AS (
      UPDATE inbox SET reply = ${JSON.stringify(reply)}::jsonb
      WHERE command_id = ${commandId} AND reply IS NULL AND NOT undone RETURNING 1
    )
    UPDATE payments SET status = ${status}, provider_reference = ${providerReference ?? null},
      failure_reason = ${failureReason ?? null}, updated_at = now()
    FROM answered WHERE id = ${purchaseId}::uuid`
  return settled === 1
}

function toPayment(row: Row): Payment {
  return {
    id: row.id,
    status: row.status as PaymentStatus,
    amount: Number(row.amount),
    currency_code: row.currencyCode,
    method: row.method,
    created_at: row.createdAt.toISOString(),
  }
}
