import {
  Prisma,
  PrismaClient,
  type Purchase,
  type PurchaseAction,
  type PurchaseStep,
} from '../../prisma/purchase/client/client.ts'
import type {
  OperatorActed,
  PurchaseAccepted,
  PurchaseEnded,
} from '../../shared/contracts/events.ts'
import { connectDatabase, type DatabaseConfig, databaseAnswers } from '../../shared/prisma.ts'

export type PurchaseRow = Purchase
export type PurchaseWithSteps = Purchase & { steps: PurchaseStep[] }

export type NewPurchase = {
  accepted: PurchaseAccepted
  idempotencyKey: string | null
  bodyHash: string
}

/** A step's outcome on its way into the purchase's progress. */
export type Progress = {
  purchaseId: string
  sequence: number
  name: string
  outcome: string
  reason: string | null
  at: Date
}

const uniqueViolation = 'P2002'
const open = { in: ['ACCEPTED', 'PROCESSING'] }
const oldestFirst = { steps: { orderBy: { sequence: 'asc' } } } as const

export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    /** Stores an accepted purchase; null when the customer used this idempotency key before. */
    async insert({ accepted, idempotencyKey, bodyHash }: NewPurchase): Promise<Purchase | null> {
      try {
        return await prisma.purchase.create({
          data: {
            id: accepted.purchase_id,
            customerId: accepted.customer_id,
            idempotencyKey,
            bodyHash,
            lines: accepted.lines,
            amount: BigInt(accepted.amount),
            currencyCode: accepted.currency_code,
            paymentMethod: accepted.payment_method,
            status: 'ACCEPTED',
          },
        })
      } catch (error) {
        const known = error instanceof Prisma.PrismaClientKnownRequestError
        if (known && error.code === uniqueViolation) return null
        throw error
      }
    },

    findByKey: (customerId: string, idempotencyKey: string): Promise<Purchase | null> =>
      prisma.purchase.findUnique({
        where: { customerId_idempotencyKey: { customerId, idempotencyKey } },
      }),

    findOwn: (id: string, customerId: string): Promise<PurchaseWithSteps | null> =>
      prisma.purchase.findUnique({ where: { id, customerId }, include: oldestFirst }),

    /** Those of them that exist, whoever owns them. */
    findMany: (ids: string[]): Promise<PurchaseWithSteps[]> =>
      prisma.purchase.findMany({ where: { id: { in: ids } }, include: oldestFirst }),

    listOwn: (
      customerId: string,
      { limit, cursor }: { limit: number; cursor?: string | undefined },
    ): Promise<PurchaseWithSteps[]> =>
      prisma.purchase.findMany({
        where: { customerId, ...(cursor && { id: { lt: cursor } }) },
        orderBy: { id: 'desc' },
        take: limit,
        include: oldestFirst,
      }),

    /** Raw, since `updated_at` tells when the purchase itself last changed. */
    async markPublished(ids: string[]): Promise<void> {
      await prisma.$executeRaw`
        UPDATE purchases SET published_at = now() WHERE id = ANY(${ids}::uuid[])`
    },

    /** Rows whose event is missing, oldest first; younger ones than `olderThanMs` may be on their way. */
    unpublished: (olderThanMs: number, limit: number): Promise<Purchase[]> =>
      prisma.purchase.findMany({
        where: { publishedAt: null, createdAt: { lt: new Date(Date.now() - olderThanMs) } },
        orderBy: { createdAt: 'asc' },
        take: limit,
      }),

    /** Adds a step that is not there yet, and moves an accepted purchase on; one round trip. */
    async addProgress({ purchaseId, sequence, name, outcome, reason, at }: Progress) {
      await prisma.$executeRaw`
        WITH step AS (
          INSERT INTO purchase_steps (purchase_id, sequence, name, outcome, reason, at)
          SELECT id, ${sequence}::int, ${name}, ${outcome}, ${reason}, ${at}
          FROM purchases WHERE id = ${purchaseId}::uuid
          ON CONFLICT DO NOTHING
          RETURNING purchase_id
        )
        UPDATE purchases SET status = 'PROCESSING', updated_at = now()
        FROM step WHERE id = step.purchase_id AND status = 'ACCEPTED'`
    },

    /** Ends a purchase; one that has ended stays as it is. */
    async end({ purchase_id, status, reason, failed_step }: PurchaseEnded): Promise<boolean> {
      const changed = await prisma.purchase.updateMany({
        where: { id: purchase_id, status: open },
        data: { status, reason, failedStep: failed_step, needsAttentionAt: null },
      })
      return changed.count === 1
    },

    /** Notes the wish to cancel on a purchase that has not ended; null when the customer has no such purchase. */
    async requestCancel(id: string, customerId: string): Promise<Purchase | null> {
      await prisma.purchase.updateMany({
        where: { id, customerId, status: open, cancelRequestedAt: null },
        data: { cancelRequestedAt: new Date() },
      })
      return prisma.purchase.findUnique({ where: { id, customerId } })
    },

    /** The saga has heard of the wish, or (`granted` false) it came too late and is as if it had not been. */
    async cancelDelivered(id: string, granted: boolean): Promise<void> {
      await prisma.purchase.updateMany({
        where: { id, status: open },
        data: granted ? { cancelDeliveredAt: new Date() } : { cancelRequestedAt: null },
      })
    },

    /** Whether the customer has asked to cancel a purchase that has not ended. */
    async cancelWished(id: string): Promise<boolean> {
      const row = await prisma.purchase.findUnique({
        where: { id, status: open, NOT: { cancelRequestedAt: null } },
        select: { id: true },
      })
      return row !== null
    },

    undeliveredCancels: (olderThanMs: number, limit: number): Promise<Purchase[]> =>
      prisma.purchase.findMany({
        where: {
          status: open,
          cancelRequestedAt: { lt: new Date(Date.now() - olderThanMs) },
          cancelDeliveredAt: null,
        },
        orderBy: { cancelRequestedAt: 'asc' },
        take: limit,
      }),

    /** Purchases that have not moved for a time and of which no operator was told. */
    unmoved: (olderThanMs: number, limit: number): Promise<Purchase[]> =>
      prisma.purchase.findMany({
        where: {
          status: open,
          updatedAt: { lt: new Date(Date.now() - olderThanMs) },
          needsAttentionAt: null,
        },
        orderBy: { updatedAt: 'asc' },
        take: limit,
      }),

    /** Also for a purchase that has ended: settling it may be what does not go on. */
    async flag(id: string): Promise<void> {
      await prisma.$executeRaw`
        UPDATE purchases SET needs_attention_at = now()
        WHERE id = ${id}::uuid AND needs_attention_at IS NULL`
    },

    /** Notes what an operator did, once; what is resolved needs no attention any more. */
    async addAction({ action_id, purchase_id, ...action }: OperatorActed): Promise<void> {
      const noted = { actionId: action_id, purchaseId: purchase_id, ...action }
      await prisma.$transaction([
        prisma.purchaseAction.createMany({ data: [noted], skipDuplicates: true }),
        ...(action.action === 'resolve'
          ? [
              prisma.purchase.updateMany({
                where: { id: purchase_id, NOT: { status: open } },
                data: { needsAttentionAt: null },
              }),
            ]
          : []),
      ])
    },

    listActions: (purchaseId: string): Promise<PurchaseAction[]> =>
      prisma.purchaseAction.findMany({
        where: { purchaseId },
        orderBy: [{ at: 'asc' }, { actionId: 'asc' }],
      }),

    answers: () => databaseAnswers(prisma),
    close: () => prisma.$disconnect(),
  }
}

export type Repository = Awaited<ReturnType<typeof connectRepository>>
