import type {
  PrismaClient,
  Purchase,
  PurchaseAction,
  PurchaseStep,
} from '../../prisma/purchase/client/client.ts'

/** All that is stored of a purchase. */
export type PurchaseRecord = Purchase & { steps: PurchaseStep[]; actions: PurchaseAction[] }

/** Times are in ms since 1970; 0 for none. */
export type OpenCounts = {
  queued: number
  accepted: number
  processing: number
  cancelling: number
  oldestAt: number
  needsAttention: number
}

/** What operators see of purchases. Each statement reads the rows that it shows, or an index of open ones. */
export function createRecords(prisma: PrismaClient) {
  return {
    async findRecord(id: string): Promise<PurchaseRecord | undefined> {
      const row = await prisma.purchase.findUnique({
        where: { id },
        include: { steps: { orderBy: [{ at: 'asc' }, { sequence: 'asc' }] } },
      })
      return row ? { ...row, actions: await this.listActions(id) } : undefined
    },

    listActions: (purchaseId: string): Promise<PurchaseAction[]> =>
      prisma.purchaseAction.findMany({
        where: { purchaseId },
        orderBy: [{ at: 'asc' }, { actionId: 'asc' }],
      }),

    /** Those that wait for an operator, those that wait longest first. */
    listAttention: (limit: number): Promise<Purchase[]> =>
      prisma.purchase.findMany({
        where: { needsAttentionAt: { not: null } },
        orderBy: [{ needsAttentionAt: 'asc' }, { id: 'asc' }],
        take: limit,
      }),

    async countOpen(): Promise<OpenCounts> {
      const [counts] = await prisma.$queryRaw<OpenCounts[]>`
        SELECT
          count(*) FILTER (WHERE released_at IS NULL AND published_at IS NULL)::int AS queued,
          count(*) FILTER (WHERE status = 'ACCEPTED' AND cancel_requested_at IS NULL
            AND NOT (released_at IS NULL AND published_at IS NULL))::int AS accepted,
          count(*) FILTER (WHERE status = 'PROCESSING' AND cancel_requested_at IS NULL)::int AS processing,
          count(*) FILTER (WHERE cancel_requested_at IS NOT NULL
            AND NOT (released_at IS NULL AND published_at IS NULL))::int AS cancelling,
          coalesce(floor(extract(epoch FROM min(created_at)) * 1000), 0)::float8 AS "oldestAt",
          (SELECT count(*)::int FROM purchases WHERE needs_attention_at IS NOT NULL) AS "needsAttention"
        FROM purchases WHERE status IN ('ACCEPTED', 'PROCESSING')`
      if (!counts) throw new Error('a count has no row')
      return counts
    },
  }
}
