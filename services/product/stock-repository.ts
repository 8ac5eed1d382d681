import type { Prisma, Product as StoredProduct } from '../../prisma/product/client/client.ts'
import { sqlState } from '../../shared/faults.ts'
import type { Sql } from '../../shared/inbox.ts'
import type { Command } from '../../shared/participant.ts'

export type Line = { productId: string; quantity: number }
type Hold = Line & { status: 'HELD' | 'SOLD' | 'RELEASED' }

export type Transaction = ReturnType<typeof inTransaction>
type RawQuery = Pick<Sql, '$queryRaw'>

const done = { outcome: 'done' } as const
/** SQLSTATE division_by_zero: how the one statement says no. */
const divisionByZero = '22012'

/*
 * Everything that moves stock takes its locks in one order, so that no two of them wait for each other: the inbox, then
 * all products in the order of their ids, then the holds, which nobody locks without their product. The locks leave
 * foreign key checks alone.
 *
 * A statement sees what was there when it began, except the rows that it locks or updates: those it sees as they are
 * then. So what it decides by is either locked before or a condition of the update itself.
 */

/**
 * Holds the lines, one per product, of a command that is new, and stores its reply, in one statement. False, and
 * nothing written, when it was seen before or not all is there and free.
 */
export async function holdNew(
  sql: RawQuery,
  { commandId, purchaseId }: Command<'reserveStock'>,
  lines: Line[],
): Promise<boolean> {
  const productIds = lines.map((line) => line.productId)
  const quantities = lines.map((line) => line.quantity)
  try {
    // The claim comes before the locks and believes what the statement saw at first. The last line takes it back, with
    // all the rest, when one of the products has less by then.
    const rows = await sql.$queryRaw<unknown[]>`
      WITH line AS (
        SELECT * FROM unnest(${productIds}::uuid[], ${quantities}::bigint[]) AS l (product_id, quantity)
      ), claimed AS (
        INSERT INTO inbox (command_id, reply)
        SELECT ${commandId}, ${JSON.stringify(done)}::jsonb WHERE ${lines.length} = (
          SELECT count(*) FROM line JOIN products ON id = product_id WHERE stock >= quantity
        )
        ON CONFLICT DO NOTHING RETURNING ${purchaseId}::uuid AS purchase_id
      ), locked AS (
        SELECT purchase_id, product_id, quantity
        FROM claimed, line JOIN products ON id = product_id
        ORDER BY id FOR NO KEY UPDATE OF products
      ), held AS (
        INSERT INTO holds (purchase_id, product_id, quantity, status)
        SELECT purchase_id, product_id, quantity, 'HELD' FROM locked
      ), taken AS (
        UPDATE products SET stock = stock - quantity, held = held + quantity, updated_at = now()
        FROM locked WHERE id = product_id AND stock >= quantity RETURNING id
      )
      SELECT 1 / (${lines.length} = (SELECT count(*) FROM taken))::int FROM claimed`
    return rows.length === 1
  } catch (error) {
    if (sqlState(error) === divisionByZero) return false
    throw error
  }
}

/**
 * Sells what purchases hold, in one statement, and tells which: those that took something and hold all of it still.
 * Of the others nothing changes.
 */
export async function sellAll(sql: RawQuery, purchaseIds: string[]): Promise<string[]> {
  // An update takes only one row to each product, hence the sums.
  const rows = await sql.$queryRaw<{ purchase_id: string }[]>`
    WITH locked AS (
      SELECT id FROM products
      WHERE id IN (SELECT product_id FROM holds WHERE purchase_id = ANY(${purchaseIds}::uuid[]))
      ORDER BY id FOR NO KEY UPDATE
    ), taken AS (
      SELECT purchase_id, product_id, status FROM holds JOIN locked ON id = product_id
      WHERE purchase_id = ANY(${purchaseIds}::uuid[]) FOR NO KEY UPDATE OF holds
    ), whole AS (
      SELECT purchase_id FROM taken GROUP BY purchase_id HAVING bool_and(status = 'HELD')
    ), settled AS (
      UPDATE holds SET status = 'SOLD', updated_at = now()
      FROM whole WHERE holds.purchase_id = whole.purchase_id RETURNING product_id, quantity
    ), total AS (
      SELECT product_id, sum(quantity) AS quantity FROM settled GROUP BY product_id
    ), moved AS (
      UPDATE products SET held = held - quantity, sold = sold + quantity, updated_at = now()
      FROM total WHERE id = product_id RETURNING id
    )
    SELECT purchase_id, 1 / ((SELECT count(*) FROM moved) = (SELECT count(*) FROM total))::int
    FROM whole`
  return rows.map((row) => row.purchase_id)
}

/** What a transaction can do. */
export function inTransaction(tx: Prisma.TransactionClient) {
  return {
    sql: tx as Sql,

    /** Locks the products that exist and tells how much of each is free, by id. */
    async lockStock(productIds: string[]): Promise<Map<string, number>> {
      const rows = await tx.$queryRaw<{ id: string; stock: number }[]>`
        SELECT id, stock FROM products WHERE id = ANY(${productIds}::uuid[])
        ORDER BY id FOR NO KEY UPDATE`
      return new Map(rows.map(({ id, stock }) => [id, stock]))
    },

    /** Takes the lines, one per product, out of the free stock; the count of products where that was possible. */
    hold(purchaseId: string, lines: Line[]): Promise<number> {
      const productIds = lines.map((line) => line.productId)
      const quantities = lines.map((line) => line.quantity)
      return tx.$executeRaw`
        WITH line AS (
          SELECT * FROM unnest(${productIds}::uuid[], ${quantities}::int[]) AS l (product_id, quantity)
        ), held AS (
          INSERT INTO holds (purchase_id, product_id, quantity, status)
          SELECT ${purchaseId}::uuid, product_id, quantity, 'HELD' FROM line
        )
        UPDATE products SET stock = stock - quantity, held = held + quantity, updated_at = now()
        FROM line WHERE id = product_id AND stock >= quantity`
    },

    /** Locks what a purchase took, and before that the products that it took it from. */
    lockHolds: (purchaseId: string): Promise<Hold[]> =>
      tx.$queryRaw<Hold[]>`
        WITH locked AS (
          SELECT id FROM products
          WHERE id IN (SELECT product_id FROM holds WHERE purchase_id = ${purchaseId}::uuid)
          ORDER BY id FOR NO KEY UPDATE
        )
        SELECT product_id AS "productId", quantity, status FROM holds JOIN locked ON id = product_id
        WHERE purchase_id = ${purchaseId}::uuid FOR NO KEY UPDATE OF holds`,

    /** Gives what a purchase holds back to the free stock. */
    release: (purchaseId: string): Promise<number> =>
      tx.$executeRaw`
        WITH released AS (
          UPDATE holds SET status = 'RELEASED', updated_at = now()
          WHERE purchase_id = ${purchaseId}::uuid AND status = 'HELD'
          RETURNING product_id, quantity
        )
        UPDATE products SET held = held - quantity, stock = stock + quantity, updated_at = now()
        FROM released WHERE id = product_id`,

    /** Sells what a purchase holds. */
    sell: (purchaseId: string): Promise<number> =>
      tx.$executeRaw`
        WITH taken AS (
          UPDATE holds SET status = 'SOLD', updated_at = now()
          WHERE purchase_id = ${purchaseId}::uuid AND status = 'HELD'
          RETURNING product_id, quantity
        )
        UPDATE products SET held = held - quantity, sold = sold + quantity, updated_at = now()
        FROM taken WHERE id = product_id`,

    async lockProduct(id: string): Promise<StoredProduct | null> {
      await tx.$queryRaw`SELECT 1 FROM products WHERE id = ${id}::uuid FOR NO KEY UPDATE`
      return tx.product.findUnique({ where: { id } })
    },

    /** The quantity of the restock that was done under this key. */
    async findRestock(productId: string, idempotencyKey: string): Promise<number | undefined> {
      const where = { productId_idempotencyKey: { productId, idempotencyKey } }
      return (await tx.restock.findUnique({ where }))?.quantity
    },

    async restock(
      productId: string,
      idempotencyKey: string,
      quantity: number,
    ): Promise<StoredProduct> {
      await tx.restock.create({ data: { productId, idempotencyKey, quantity } })
      return tx.product.update({
        where: { id: productId },
        data: { stock: { increment: quantity }, received: { increment: quantity } },
      })
    },
  }
}
