import {
  type Prisma,
  PrismaClient,
  type Payment as Row,
} from '../../prisma/payment/client/client.ts'
import type { Rejected, Reply } from '../../shared/contracts/commands.ts'
import type { Payment, PaymentStatus } from '../../shared/contracts/payment.ts'
import { claim, entomb, storeReply } from '../../shared/inbox.ts'
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
    beginTake: (command: Command<'takePayment'>): Promise<TakeReply | Rejected | null> =>
      prisma.$transaction(async (tx) => {
        const claimed = await claim(tx, command)
        if (!claimed.claimed) return claimed.reply
        await insertPayment(tx, command)
        return null
      }),

    /** Stores the reply with the payment's outcome. An undo or a reply that came meanwhile wins. */
    endTake: (
      command: Command<'takePayment'>,
      reply: TakeReply,
      outcome?: Outcome,
    ): Promise<TakeReply | Rejected> =>
      prisma.$transaction(async (tx) => {
        const claimed = await claim(tx, command)
        if (!claimed.claimed && claimed.reply) return claimed.reply
        if (outcome) await tx.payment.update({ where: { id: command.purchaseId }, data: outcome })
        await storeReply(tx, command, reply)
        return reply
      }),

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

async function insertPayment(
  tx: Prisma.TransactionClient,
  { purchaseId, body }: Command<'takePayment'>,
): Promise<void> {
  await tx.payment.createMany({
    data: {
      id: purchaseId,
      customerId: body.customer_id,
      status: 'PENDING',
      amount: body.amount,
      currencyCode: body.currency_code,
      method: body.method,
    },
  })
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
