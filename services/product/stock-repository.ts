import type { PrismaClient } from '../../prisma/product/client/client.ts'
import type { Rejected, RejectionReason } from '../../shared/contracts/commands.ts'
import { nilId } from '../../shared/contracts/ids.ts'
import type { Sql } from '../../shared/database/sql.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { claimOf } from '../../shared/messaging/inbox.ts'

export type Line = { productId: string; quantity: number }
export type Hold = Line & { status: 'HELD' | 'SOLD' | 'RELEASED' | 'RETURNED' }

const done = { outcome: 'done' } as const

/*
 * Everything that moves stock takes its locks in one order, so that no two of them wait for each other: the inbox, then
 * all products in the order of their ids, then the holds, which nobody locks without their product. The locks leave
 * foreign key checks alone.
 *
 * A statement sees what was there when it began, except the rows that it locks or updates: those it sees as they are
 * then. So what it decides by is either locked before or a condition of the update itself.
 */

/** Statements on the stock that are a transaction each. */
export function createStockRepository(prisma: PrismaClient) {
  return {
    /** The free stock of those that exist, by id. */
    async readStock(productIds: string[]): Promise<Map<string, number>> {
      const rows = await prisma.product.findMany({
        where: { id: { in: productIds } },
        select: { id: true, stock: true },
      })
      return new Map(rows.map(({ id, stock }) => [id, stock]))
    },

    /** What a purchase holds or has bought, with the counts of each product. */
    showHolds: (purchaseId: string) =>
      prisma.hold.findMany({
        where: { purchaseId },
        orderBy: { productId: 'asc' },
        include: { product: { select: { stock: true, held: true, sold: true, received: true } } },
      }),

    /**
     * Holds the lines, one per product, all of them or none, and stores the command's reply. Undefined, and nothing
     * written, when the command was seen before.
     */
    async holdStock(
      command: Command<'reserveStock'>,
      lines: Line[],
    ): Promise<typeof done | Rejected | undefined> {
      const productIds = lines.map((line) => line.productId)
      const quantities = lines.map((line) => line.quantity)
      // The claim comes before the locks, so its reply is what almost every command gets. A refusal replaces it. A
      // withdrawn product is refused as one that does not exist: a reason of its own would be unknown to older
      // consumers. The counts are set from the locked row: PostgreSQL checks the constraints of a new row that it
      // computes from what the statement saw at its beginning, before it finds out that the row has changed since.
      const [verdict] = await prisma.$queryRaw<{ refusal: RejectionReason | null }[]>`
        WITH claimed AS (${claimOf(command, done)}), line AS (
          SELECT * FROM unnest(${productIds}::uuid[], ${quantities}::bigint[]) AS l (product_id, quantity)
        ), locked AS (
          SELECT product_id, quantity, stock, held, sold, received
          FROM claimed, line JOIN products ON id = product_id AND withdrawn_at IS NULL
          ORDER BY id FOR NO KEY UPDATE OF products
        ), verdict AS (
          SELECT command_id, CASE
            WHEN count(product_id) < ${lines.length} THEN 'product_not_found'
            WHEN NOT bool_and(stock >= quantity) THEN 'out_of_stock'
          END AS refusal
          FROM claimed LEFT JOIN locked ON true GROUP BY command_id
        ), held AS (
          INSERT INTO holds (purchase_id, product_id, quantity, status)
          SELECT ${command.purchaseId}::uuid, product_id, quantity, 'HELD'
          FROM locked, verdict WHERE refusal IS NULL
        ), taken AS (
          UPDATE products SET stock = locked.stock - quantity, held = locked.held + quantity,
            sold = locked.sold, received = locked.received, updated_at = now()
          FROM locked, verdict WHERE id = product_id AND refusal IS NULL RETURNING id
        )
        SELECT refusal, CASE
          WHEN refusal IS NULL THEN ((SELECT count(*) FROM taken) = ${lines.length})::ensured
          ELSE replace_reply(command_id, jsonb_build_object('outcome', 'rejected', 'reason', refusal)) IS NOT NULL
        END
        FROM verdict`
      if (!verdict) return undefined
      return verdict.refusal ? { outcome: 'rejected', reason: verdict.refusal } : done
    },

    /**
     * Sells what purchases hold, and tells which of them are sold now: those that took something and of which nothing
     * was released. Of the others nothing changes.
     */
    async sellAll(purchaseIds: string[]): Promise<string[]> {
      // An update takes only one row to each product, hence the sums.
      const rows = await prisma.$queryRaw<{ purchase_id: string }[]>`
        WITH locked AS (
          SELECT id FROM products
          WHERE id IN (SELECT product_id FROM holds WHERE purchase_id = ANY(${purchaseIds}::uuid[]))
          ORDER BY id FOR NO KEY UPDATE
        ), taken AS (
          SELECT purchase_id, product_id, status FROM holds JOIN locked ON id = product_id
          WHERE purchase_id = ANY(${purchaseIds}::uuid[]) FOR NO KEY UPDATE OF holds
        ), whole AS (
          SELECT purchase_id FROM taken GROUP BY purchase_id HAVING bool_and(status <> 'RELEASED')
        ), settled AS (
          UPDATE holds SET status = 'SOLD', updated_at = now()
          FROM whole WHERE holds.purchase_id = whole.purchase_id AND status = 'HELD'
          RETURNING product_id, quantity
        ), total AS (
          SELECT product_id, sum(quantity) AS quantity FROM settled GROUP BY product_id
        ), moved AS (
          UPDATE products SET held = held - quantity, sold = sold + quantity, updated_at = now()
          FROM total WHERE id = product_id RETURNING id
        )
        SELECT purchase_id, ((SELECT count(*) FROM moved) = (SELECT count(*) FROM total))::ensured
        FROM whole`
      return rows.map((row) => row.purchase_id)
    },

    findHolds: (purchaseId: string): PromiseLike<Hold[]> =>
      prisma.$queryRaw<Hold[]>`
        SELECT product_id AS "productId", quantity, status FROM holds
        WHERE purchase_id = ${purchaseId}::uuid`,

    /** Purchases that hold stock for longer than `ms`, in the order of their ids, those after `after`. */
    listOverdue: (
      ms: number,
      limit: number,
      after: { id: string } = { id: nilId },
    ): PromiseLike<{ id: string }[]> =>
      prisma.$queryRaw<{ id: string }[]>`
        SELECT DISTINCT purchase_id AS id FROM holds
        WHERE status = 'HELD' AND purchase_id > ${after.id}::uuid
          AND updated_at < now() - ${ms}::float8 * interval '1 millisecond'
        ORDER BY purchase_id LIMIT ${limit}`,
  }
}

/** What a transaction can do with holds. */
export function holdsInTransaction(tx: Sql) {
  return {
    /** Locks what a purchase took, and before that the products that it took it from. */
    lockHolds: (purchaseId: string): PromiseLike<Hold[]> =>
      tx.$queryRaw<Hold[]>`
        WITH locked AS (
          SELECT id FROM products
          WHERE id IN (SELECT product_id FROM holds WHERE purchase_id = ${purchaseId}::uuid)
          ORDER BY id FOR NO KEY UPDATE
        )
        SELECT product_id AS "productId", quantity, status FROM holds JOIN locked ON id = product_id
        WHERE purchase_id = ${purchaseId}::uuid FOR NO KEY UPDATE OF holds`,

    /** Returns held stock of a purchase to the free stock, and the number of products that changed. */
    release: (purchaseId: string): PromiseLike<number> =>
      tx.$executeRaw`
        WITH released AS (
          UPDATE holds SET status = 'RELEASED', updated_at = now()
          WHERE purchase_id = ${purchaseId}::uuid AND status = 'HELD'
          RETURNING product_id, quantity
        )
        UPDATE products SET held = held - quantity, stock = stock + quantity, updated_at = now()
        FROM released WHERE id = product_id`,

    /** Returns sold stock of a purchase to the free stock, of these products. The caller has locked the holds. */
    putBack: (purchaseId: string, productIds: string[]): PromiseLike<number> =>
      tx.$executeRaw`
        WITH returned AS (
          UPDATE holds SET status = 'RETURNED', updated_at = now()
          WHERE purchase_id = ${purchaseId}::uuid AND status = 'SOLD'
            AND product_id = ANY(${productIds}::uuid[])
          RETURNING product_id, quantity
        )
        UPDATE products SET sold = sold - quantity, stock = stock + quantity, updated_at = now()
        FROM returned WHERE id = product_id`,
  }
}
