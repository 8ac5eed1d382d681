import type { PrismaClient } from '../../prisma/purchase/client/client.ts'
import type { RefundEnded } from '../../shared/contracts/events.ts'

/** What is stored of refunds. */
export function createRefundStatements(prisma: PrismaClient) {
  return {
    /**
     * Adds a refund that has ended to its purchase and, if it is about one seller's lines, to that sale: a seller's
     * own refund, or that of an operator where there is one seller only. False when it was known. The purchase is
     * locked first, as everywhere.
     */
    async addRefund(ended: RefundEnded): Promise<boolean> {
      const { refund_id, purchase_id, seller_id, status, amount, returned } = ended
      const rows = await prisma.$queryRaw<unknown[]>`
        WITH theirs AS MATERIALIZED (
          SELECT id FROM purchases WHERE id = ${purchase_id}::uuid FOR NO KEY UPDATE
        ), added AS (
          INSERT INTO purchase_refunds (refund_id, purchase_id, seller_id, amount, status)
          SELECT ${refund_id}::uuid, id, ${seller_id}::uuid, ${amount}::bigint, ${status} FROM theirs
          ON CONFLICT DO NOTHING RETURNING purchase_id
        ), shown AS (
          UPDATE purchases SET updated_at = now(),
            refunded_amount = refunded_amount + CASE WHEN ${returned}::boolean THEN ${amount}::bigint ELSE 0 END,
            needs_attention_at = CASE WHEN attention_reason = 'refund_stuck' THEN NULL ELSE needs_attention_at END
          FROM added WHERE id = added.purchase_id
        ), sold AS (
          SELECT seller_id FROM sales, added
          WHERE sales.purchase_id = added.purchase_id AND ${returned}::boolean
            AND (sales.seller_id = ${seller_id}::uuid OR (${seller_id}::uuid IS NULL
              AND (SELECT count(*) FROM sales AS all_sales WHERE all_sales.purchase_id = added.purchase_id) = 1))
        ), told AS (
          UPDATE sales SET refunded_amount = refunded_amount + ${amount}::bigint
          FROM sold WHERE sales.purchase_id = ${purchase_id}::uuid AND sales.seller_id = sold.seller_id
        )
        SELECT 1 FROM added`
      return rows.length === 1
    },
  }
}
