import {
  PrismaClient,
  type Purchase,
  type PurchaseAction,
  type PurchaseStep,
} from '../../prisma/purchase/client/client.ts'
import { commands } from '../../shared/contracts/commands.ts'
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

const open = { in: ['ACCEPTED', 'PROCESSING'] }
const oldestFirst = { steps: { orderBy: { sequence: 'asc' } } } as const

/**
 * What changes several purchases in one statement first locks them in the order of their ids, and what stores several
 * does so in the order of their keys, so that no two statements wait for each other.
 */
export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    /** Stores accepted purchases; the ids of those whose customers have not used their idempotency keys before. */
    async insert(purchases: NewPurchase[]): Promise<Set<string>> {
      const given = purchases.map(({ accepted, idempotencyKey, bodyHash }) => ({
        ...accepted,
        idempotency_key: idempotencyKey,
        body_hash: bodyHash,
      }))
      const rows = await prisma.$queryRaw<{ id: string }[]>`
        INSERT INTO purchases (id, customer_id, idempotency_key, body_hash, lines, amount, currency_code,
          payment_method, status, updated_at)
        SELECT purchase_id, customer_id, idempotency_key, body_hash, lines, amount, currency_code,
          payment_method, 'ACCEPTED', now()
        FROM jsonb_to_recordset(${JSON.stringify(given)}::jsonb) AS given (purchase_id uuid,
          customer_id uuid, idempotency_key text, body_hash text, lines jsonb, amount bigint,
          currency_code text, payment_method text)
        ORDER BY customer_id, idempotency_key
        ON CONFLICT DO NOTHING RETURNING id`
      return new Set(rows.map(({ id }) => id))
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
        WITH theirs AS MATERIALIZED (
          SELECT id FROM purchases WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE
        )
        UPDATE purchases SET published_at = now() FROM theirs WHERE purchases.id = theirs.id`
    },

    /** Rows whose event is missing, oldest first; younger ones than `olderThanMs` may be on their way. */
    unpublished: (olderThanMs: number, limit: number): Promise<Purchase[]> =>
      prisma.purchase.findMany({
        where: { publishedAt: null, createdAt: { lt: new Date(Date.now() - olderThanMs) } },
        orderBy: { createdAt: 'asc' },
        take: limit,
      }),

    /** Adds the steps that are not there yet, and moves accepted purchases on; one round trip. */
    async addProgress(steps: Progress[]): Promise<void> {
      await prisma.$executeRaw`
        WITH given AS (
          SELECT * FROM jsonb_to_recordset(${JSON.stringify(steps)}::jsonb) AS step ("purchaseId" uuid,
            sequence int, name text, outcome text, reason text, at timestamptz)
        ), accepted AS MATERIALIZED (
          SELECT id FROM purchases
          WHERE id IN (SELECT "purchaseId" FROM given) AND status = 'ACCEPTED'
          ORDER BY id FOR NO KEY UPDATE
        ), moved AS (
          UPDATE purchases SET status = 'PROCESSING', updated_at = now()
          FROM accepted WHERE purchases.id = accepted.id
        )
        INSERT INTO purchase_steps (purchase_id, sequence, name, outcome, reason, at)
        SELECT id, sequence, name, outcome, given.reason, at
        FROM given JOIN purchases ON id = "purchaseId"
        ON CONFLICT DO NOTHING`
    },

    /** Ends purchases, each once; those that have ended stay as they are. The ids of those that ended now. */
    async end(ends: PurchaseEnded[]): Promise<Set<string>> {
      const rows = await prisma.$queryRaw<{ id: string }[]>`
        WITH given AS (
          SELECT * FROM jsonb_to_recordset(${JSON.stringify(ends)}::jsonb) AS ended (purchase_id uuid,
            status text, reason text, failed_step text)
        ), unfinished AS MATERIALIZED (
          SELECT id FROM purchases
          WHERE id IN (SELECT purchase_id FROM given) AND status IN ('ACCEPTED', 'PROCESSING')
          ORDER BY id FOR NO KEY UPDATE
        )
        UPDATE purchases SET status = given.status, reason = given.reason,
          failed_step = given.failed_step, needs_attention_at = NULL, updated_at = now()
        FROM given JOIN unfinished ON unfinished.id = given.purchase_id
        WHERE purchases.id = unfinished.id RETURNING purchases.id`
      return new Set(rows.map(({ id }) => id))
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

    /** Those of them that have not ended and whose customer has asked to cancel. */
    async cancelWished(ids: string[]): Promise<string[]> {
      const rows = await prisma.purchase.findMany({
        where: { id: { in: ids }, status: open, NOT: { cancelRequestedAt: null } },
        select: { id: true },
      })
      return rows.map(({ id }) => id)
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

    /** Purchases whose payment was taken that long ago, and whose end has not come. */
    async paidUnended(olderThanMs: number, limit: number): Promise<string[]> {
      const paid = {
        sequence: commands.takePayment.sequence,
        outcome: 'done',
        at: { lt: new Date(Date.now() - olderThanMs) },
      }
      const rows = await prisma.purchase.findMany({
        where: { status: open, steps: { some: paid } },
        orderBy: { updatedAt: 'asc' },
        take: limit,
        select: { id: true },
      })
      return rows.map(({ id }) => id)
    },

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
