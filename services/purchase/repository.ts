import {
  PrismaClient,
  type Purchase,
  type PurchaseStep,
} from '../../prisma/purchase/client/client.ts'
import { commands } from '../../shared/contracts/commands.ts'
import type { OperatorActed, PurchaseEnded } from '../../shared/contracts/events.ts'
import type { PurchaseListQuery } from '../../shared/contracts/purchase.ts'
import type { DatabaseConfig } from '../../shared/database/config.ts'
import { inRange } from '../../shared/database/list-range.ts'
import { connectDatabase, isDatabaseReachable } from '../../shared/database/prisma.ts'
import { createDeliveryStatements } from './delivery-repository.ts'
import { createQueue } from './queue-repository.ts'
import { createRecords } from './records-repository.ts'
import { createRefundStatements } from './refunds-repository.ts'
import { createSalesStatements } from './sales-repository.ts'
import { open, shownAs } from './shown-status.ts'

export type PurchaseRow = Purchase
export type PurchaseWithSteps = Purchase & { steps: PurchaseStep[] }

/** A step's outcome on its way into the purchase's progress. */
export type ReportedStep = {
  purchaseId: string
  sequence: number
  name: string
  outcome: string
  reason: string | null
  at: Date
}

/** A step from the event that ends its purchase. Without a time it changes no stored step. */
export type EndedStep = Pick<ReportedStep, 'sequence' | 'name' | 'outcome' | 'reason'> & {
  at: string | null
}

type EndedRow = { id: string; released_at: Date | null; has_queue: boolean }

const oldestFirst = { steps: { orderBy: { sequence: 'asc' } } } as const

/**
 * A statement that changes more than one purchase first locks them in the order of their ids, and one that stores more
 * than one does so in the order of their keys, so that no two statements wait for each other.
 */
export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    ...createQueue(prisma),
    ...createRecords(prisma),
    ...createSalesStatements(prisma),
    ...createRefundStatements(prisma),
    ...createDeliveryStatements(prisma),

    findByKey: (customerId: string, idempotencyKey: string): Promise<Purchase | null> =>
      prisma.purchase.findUnique({
        where: { customerId_idempotencyKey: { customerId, idempotencyKey } },
      }),

    findOwn: (id: string, customerId: string): Promise<PurchaseWithSteps | null> =>
      prisma.purchase.findUnique({ where: { id, customerId }, include: oldestFirst }),

    /** The existing ones of any customer, without their steps. */
    findRows: (ids: string[]): Promise<Purchase[]> =>
      prisma.purchase.findMany({ where: { id: { in: ids } } }),

    /** The existing ones of any customer. */
    findMany: (ids: string[]): Promise<PurchaseWithSteps[]> =>
      prisma.purchase.findMany({ where: { id: { in: ids } }, include: oldestFirst }),

    /** Newest first; one purchase more than a page shows, to know whether there is another. */
    listOwn: (customerId: string, query: PurchaseListQuery): Promise<PurchaseWithSteps[]> =>
      prisma.purchase.findMany({
        where: { customerId, ...shownAs(query.status), ...inRange(query) },
        orderBy: { id: 'desc' },
        take: query.limit + 1,
        include: oldestFirst,
      }),

    /** Raw SQL, because `updated_at` is the time of the last change of the purchase itself. */
    async markPublished(ids: string[]): Promise<void> {
      await prisma.$executeRaw`
        WITH theirs AS MATERIALIZED (
          SELECT id FROM purchases WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE
        )
        UPDATE purchases SET published_at = now() FROM theirs WHERE purchases.id = theirs.id`
    },

    /** Released rows whose event is missing, oldest first; younger ones than `olderThanMs` may be on their way. */
    unpublished: (olderThanMs: number, limit: number): Promise<Purchase[]> =>
      prisma.purchase.findMany({
        where: { publishedAt: null, releasedAt: { lt: new Date(Date.now() - olderThanMs) } },
        orderBy: { releasedAt: 'asc' },
        take: limit,
      }),

    /** Adds the steps that are not there yet, and moves accepted purchases on; one round trip. */
    async addProgress(steps: ReportedStep[]): Promise<void> {
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
        ORDER BY id, sequence
        ON CONFLICT DO NOTHING`
    },

    /**
     * Ends purchases, each once, with their steps; those that have ended stay as they are. Where a reply stored a
     * step before, the end decides: its saga may have stopped waiting. The ids of those that ended now, each with
     * the time of its release, and whether any purchase waits for its turn.
     */
    async end(
      ends: (Omit<PurchaseEnded, 'steps'> & { steps: EndedStep[] })[],
    ): Promise<{ ended: Map<string, Date | null>; hasQueue: boolean }> {
      const rows = await prisma.$queryRaw<EndedRow[]>`
        WITH given AS (
          SELECT * FROM jsonb_to_recordset(${JSON.stringify(ends)}::jsonb) AS ended (purchase_id uuid,
            status text, reason text, failed_step text, steps jsonb)
        ), unfinished AS MATERIALIZED (
          SELECT id FROM purchases
          WHERE id IN (SELECT purchase_id FROM given) AND status IN ('ACCEPTED', 'PROCESSING')
          ORDER BY id FOR NO KEY UPDATE
        ), told AS (
          INSERT INTO purchase_steps (purchase_id, sequence, name, outcome, reason, at)
          SELECT id, sequence, name, outcome, step.reason, COALESCE(at, now())
          FROM given JOIN unfinished ON id = purchase_id,
            jsonb_to_recordset(steps) AS step (sequence int, name text, outcome text, reason text,
              at timestamptz)
          ORDER BY id, sequence
          ON CONFLICT (purchase_id, sequence) DO UPDATE
          SET outcome = excluded.outcome, reason = excluded.reason, at = excluded.at
          WHERE excluded.at <> now()
            AND (purchase_steps.outcome <> excluded.outcome OR purchase_steps.at > excluded.at)
        ), unsold AS (
          UPDATE sales SET ended_as = given.status
          FROM given JOIN unfinished ON unfinished.id = given.purchase_id
          WHERE sales.purchase_id = unfinished.id AND given.status <> 'COMPLETED'
        )
        UPDATE purchases SET status = given.status, reason = given.reason,
          failed_step = given.failed_step, needs_attention_at = NULL, updated_at = now()
        FROM given JOIN unfinished ON unfinished.id = given.purchase_id
        WHERE purchases.id = unfinished.id
        RETURNING purchases.id, purchases.released_at, EXISTS (SELECT FROM purchases AS waiting
          WHERE waiting.released_at IS NULL AND waiting.published_at IS NULL
          AND waiting.status = 'ACCEPTED') AS has_queue`
      return {
        ended: new Map(rows.map(({ id, released_at }) => [id, released_at])),
        hasQueue: rows.some(({ has_queue }) => has_queue),
      }
    },

    /** Stores the cancel request on a purchase that has not ended; null when the customer has no such purchase. */
    async requestCancel(id: string, customerId: string): Promise<Purchase | null> {
      await prisma.purchase.updateMany({
        where: { id, customerId, status: open, cancelRequestedAt: null },
        data: { cancelRequestedAt: new Date() },
      })
      return prisma.purchase.findUnique({ where: { id, customerId } })
    },

    /** The saga has received the cancel request, or (`granted` false) it came too late and is removed. */
    async cancelDelivered(id: string, granted: boolean): Promise<void> {
      await prisma.purchase.updateMany({
        where: { id, status: open },
        data: granted ? { cancelDeliveredAt: new Date() } : { cancelRequestedAt: null },
      })
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

    /**
     * Released purchases without progress for a time, after the purchase `after`. They include purchases that operators
     * were notified of: the saga may be missing.
     */
    unmoved: (
      olderThanMs: number,
      limit: number,
      after?: Pick<Purchase, 'id' | 'updatedAt'>,
    ): Promise<Purchase[]> =>
      prisma.purchase.findMany({
        where: {
          status: open,
          updatedAt: {
            lt: new Date(Date.now() - olderThanMs),
            ...(after && { gte: after.updatedAt }),
          },
          NOT: { releasedAt: null, publishedAt: null },
          ...(after && {
            OR: [{ updatedAt: { gt: after.updatedAt } }, { id: { gt: after.id } }],
          }),
        },
        orderBy: [{ updatedAt: 'asc' }, { id: 'asc' }],
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
    async flag(id: string, reason: string): Promise<void> {
      await prisma.$executeRaw`
        UPDATE purchases SET needs_attention_at = now(), attention_reason = ${reason}
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

    isReachable: () => isDatabaseReachable(prisma),
    close: () => prisma.$disconnect(),
  }
}

export type Repository = Awaited<ReturnType<typeof connectRepository>>
