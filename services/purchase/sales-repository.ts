import { Prisma, type PrismaClient } from '../../prisma/purchase/client/client.ts'
import type { PurchaseListQuery } from '../../shared/contracts/purchase.ts'
import { inRange } from '../../shared/database/list-range.ts'
import { isEnd, shownAs } from './shown-status.ts'

export type ReceiptRow = Prisma.PurchaseGetPayload<{ include: { sales: true } }>
export type SaleRow = Prisma.SaleGetPayload<{ include: { purchase: true } }>

/**
 * Purchases by the sellers of their lines. The rows are written with the purchase: see `insert` of
 * queue-repository.ts.
 */
export function createSalesStatements(prisma: PrismaClient) {
  return {
    /** Newest first; one sale more than a page shows, to know whether there is another. */
    async listSales(sellerId: string, query: PurchaseListQuery): Promise<SaleRow[]> {
      const rows = await prisma.$queryRaw<{ purchase_id: string }[]>`
        SELECT purchase_id FROM ${salesOf(sellerId, query)} WHERE ${inPage(query)}
        ORDER BY purchase_id DESC LIMIT ${query.limit + 1}`
      if (rows.length === 0) return []
      return prisma.sale.findMany({
        where: { sellerId, purchaseId: { in: rows.map(({ purchase_id }) => purchase_id) } },
        orderBy: { purchaseId: 'desc' },
        include: { purchase: true },
      })
    },

    /** Those of them that exist, with whose their lines are. */
    findReceipts: (ids: string[]): Promise<ReceiptRow[]> =>
      prisma.purchase.findMany({ where: { id: { in: ids } }, include: { sales: true } }),

    findSale: (sellerId: string, purchaseId: string): Promise<SaleRow | null> =>
      prisma.sale.findUnique({
        where: { sellerId_purchaseId: { sellerId, purchaseId } },
        include: { purchase: true },
      }),
  }
}

/**
 * The sales of a seller that are shown with a status. A seller may have any number of sales, of which few or none have
 * it: those that ended otherwise than COMPLETED say so themselves, and those that have not ended are found by their
 * purchases, which are few. OFFSET 0 has PostgreSQL look each row up by its key, and not join all of a table at once.
 */
function salesOf(sellerId: string, query: PurchaseListQuery): Prisma.Sql {
  const { status } = query
  if (status !== undefined && !isEnd(status)) {
    return Prisma.sql`(
      SELECT * FROM purchases WHERE status IN ('ACCEPTED', 'PROCESSING')
    ) AS unfinished, LATERAL (
      SELECT purchase_id FROM sales WHERE seller_id = ${sellerId}::uuid AND purchase_id = id OFFSET 0
    ) AS theirs`
  }
  const end =
    status === 'COMPLETED' ? Prisma.sql`ended_as IS NULL` : Prisma.sql`ended_as = ${status}`
  const those = status === undefined ? Prisma.sql`true` : end
  return Prisma.sql`(
    SELECT purchase_id FROM sales WHERE seller_id = ${sellerId}::uuid AND ${those}
  ) AS theirs, LATERAL (SELECT * FROM purchases WHERE id = purchase_id OFFSET 0) AS shown`
}

/** The condition that a purchase is shown with the status, was created in the time, and comes after the cursor. */
function inPage(query: PurchaseListQuery): Prisma.Sql {
  const { id, createdAt } = inRange(query)
  const { status, cancelRequestedAt } = shownAs(query.status)
  const statuses = typeof status === 'string' ? [status] : status?.in
  const conditions = [
    Prisma.sql`true`,
    ...(id.lt === undefined ? [] : [Prisma.sql`purchase_id < ${id.lt}::uuid`]),
    ...(id.gte === undefined ? [] : [Prisma.sql`purchase_id >= ${id.gte}::uuid`]),
    ...(createdAt.gte === undefined ? [] : [Prisma.sql`created_at >= ${createdAt.gte}`]),
    ...(createdAt.lt === undefined ? [] : [Prisma.sql`created_at < ${createdAt.lt}`]),
    ...(statuses === undefined ? [] : [Prisma.sql`status IN (${Prisma.join(statuses)})`]),
    ...(cancelRequestedAt === undefined
      ? []
      : [
          cancelRequestedAt === null
            ? Prisma.sql`cancel_requested_at IS NULL`
            : Prisma.sql`cancel_requested_at IS NOT NULL`,
        ]),
  ]
  return Prisma.join(conditions, ' AND ')
}
