import type { PrismaClient } from '../../prisma/purchase/client/client.ts'

/** How long a delivery is stored: until its account is deleted, or its retention is over. */
export function createDeliveryStatements(prisma: PrismaClient) {
  return {
    /**
     * How many purchases have not ended that an account bought, or that have its products. OFFSET 0 has PostgreSQL look
     * for the sale of each: otherwise it reads all sales of the account, however few purchases are open.
     */
    async countUnfinishedOf(accountId: string): Promise<number> {
      const [row] = await prisma.$queryRaw<{ unfinished: number }[]>`
        SELECT count(*)::int AS unfinished FROM purchases LEFT JOIN LATERAL (
          SELECT true AS sold FROM sales WHERE seller_id = ${accountId}::uuid AND purchase_id = id OFFSET 0
        ) AS theirs ON true
        WHERE status IN ('ACCEPTED', 'PROCESSING') AND (customer_id = ${accountId}::uuid OR sold)`
      return row?.unfinished ?? 0
    },

    /** Removes where at most `limit` purchases of a customer went; the number of them. */
    forgetCustomer: (customerId: string, limit: number): PromiseLike<number> =>
      prisma.$executeRaw`
        WITH chosen AS MATERIALIZED (
          SELECT id FROM purchases WHERE customer_id = ${customerId}::uuid AND delivery IS NOT NULL
          ORDER BY id LIMIT ${limit} FOR NO KEY UPDATE
        )
        UPDATE purchases SET delivery = NULL FROM chosen WHERE purchases.id = chosen.id`,

    /**
     * Removes where purchases went that have ended, of a page of `limit` purchases with ids between `after` and
     * `before`. The last id of the page, undefined when it was the last page.
     */
    async purgeDeliveries(
      after: string,
      before: string,
      limit: number,
    ): Promise<{ purged: number; last: string | undefined }> {
      const [row] = await prisma.$queryRaw<{ purged: number; read: number; last: string | null }[]>`
        WITH page AS MATERIALIZED (
          SELECT id FROM purchases WHERE id > ${after}::uuid AND id < ${before}::uuid
          ORDER BY id LIMIT ${limit}
        ), chosen AS MATERIALIZED (
          SELECT purchases.id FROM page JOIN purchases USING (id)
          WHERE delivery IS NOT NULL AND status NOT IN ('ACCEPTED', 'PROCESSING')
          ORDER BY purchases.id FOR NO KEY UPDATE OF purchases
        ), purged AS (
          UPDATE purchases SET delivery = NULL FROM chosen WHERE purchases.id = chosen.id
          RETURNING purchases.id
        )
        SELECT (SELECT count(*)::int FROM purged) AS purged, (SELECT count(*)::int FROM page) AS read,
          (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last`
      return {
        purged: row?.purged ?? 0,
        last: row && row.read === limit ? (row.last ?? undefined) : undefined,
      }
    },
  }
}
