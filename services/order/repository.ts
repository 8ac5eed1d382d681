import {
  type Order as OrderRow,
  type Prisma,
  PrismaClient,
} from '../../prisma/order/client/client.ts'
import { nilId } from '../../shared/contracts/ids.ts'
import type { Order, OrderListQuery, OrderStatus } from '../../shared/contracts/order.ts'
import type { DatabaseConfig } from '../../shared/database/config.ts'
import { inRange, ofStatus } from '../../shared/database/list-range.ts'
import { connectDatabase, isDatabaseReachable } from '../../shared/database/prisma.ts'
import { type Sql, sql } from '../../shared/database/sql.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { claimOf } from '../../shared/messaging/inbox.ts'
import { purgeInboxBatch } from '../../shared/messaging/inbox-retention.ts'
import { toOrder, withLines } from './mapping.ts'

export type { OrderRow }

/** An order and its customer. */
export type OwnedOrder = Order & { customerId: string }

/** An unsettled order, with the cursor of the next page. */
export type OverdueOrder = { id: string; createdAt: Date }

export type OrderRepository = Awaited<ReturnType<typeof connectRepository>>
export type Transaction = ReturnType<typeof inTransaction>

const done = { outcome: 'done' } as const
/** The cursor of the first page. One that may be absent could not be looked up in the index. */
const beforeAll: OverdueOrder = { id: nilId, createdAt: new Date(0) }

/** The only access to the order database. */
export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    /** For statements that are a transaction each. */
    sql: prisma as Sql,

    /** Runs `work` in one transaction: all its statements take effect, or none. */
    transaction: <T>(work: (tx: Transaction) => Promise<T>): Promise<T> =>
      prisma.$transaction((tx) => work(inTransaction(tx))),

    /** Writes the order PENDING, in one statement with the command's claim; undefined when it was seen before. */
    async insertOrder(command: Command<'createOrder'>): Promise<typeof done | undefined> {
      const { customer_id, amount, currency_code, lines } = command.body
      const inserted = await prisma.$executeRaw`
        WITH claimed AS (${claimOf(command, done)}), created AS (
          INSERT INTO orders (id, customer_id, status, amount, currency_code)
          SELECT ${command.purchaseId}::uuid, ${customer_id}::uuid, 'PENDING', ${amount}::bigint, ${currency_code}
          FROM claimed RETURNING id
        )
        INSERT INTO order_lines (order_id, product_id, name, quantity, unit_price)
        SELECT id, line.* FROM created, unnest(
          ${lines.map((line) => line.product_id)}::uuid[], ${lines.map((line) => line.name)}::text[],
          ${lines.map((line) => line.quantity)}::int[], ${lines.map((line) => line.unit_price)}::bigint[]
        ) AS line`
      return inserted > 0 ? done : undefined
    },

    /** Whether it was PENDING until now. */
    async confirmOrder(id: string): Promise<boolean> {
      const { count } = await prisma.order.updateMany({
        where: { id, status: 'PENDING' },
        data: { status: 'CONFIRMED' },
      })
      return count === 1
    },

    async findStatus(id: string): Promise<OrderStatus | undefined> {
      const row = await prisma.order.findUnique({ where: { id }, select: { status: true } })
      return row?.status as OrderStatus | undefined
    },

    /** Of any customer. A cache may be in front of this one. */
    async findOrder(id: string): Promise<OwnedOrder | undefined> {
      const row = await prisma.order.findUnique({ where: { id }, include: withLines })
      return row ? { ...toOrder(row), customerId: row.customerId } : undefined
    },

    /** The existing ones of any customer, without their lines. Never from a cache. */
    findRows: (ids: string[]): Promise<OrderRow[]> =>
      prisma.order.findMany({ where: { id: { in: ids } } }),

    /** Newest first; one order more than a page shows, to know whether there is another. */
    async listOrders(customerId: string, query: OrderListQuery): Promise<Order[]> {
      const rows = await prisma.order.findMany({
        where: { customerId, ...ofStatus(query.status), ...inRange(query) },
        orderBy: { id: 'desc' },
        take: query.limit + 1,
        include: withLines,
      })
      return rows.map(toOrder)
    },

    /** Orders PENDING for longer than `ms`, oldest first, those after `after`. The database's clock decides. */
    listOverdue(ms: number, limit: number, after?: OverdueOrder): PromiseLike<OverdueOrder[]> {
      const { id, createdAt } = after ?? beforeAll
      return prisma.$queryRaw<OverdueOrder[]>`
        SELECT id, created_at AS "createdAt" FROM orders
        WHERE status = 'PENDING' AND created_at < now() - ${ms} * interval '1 ms'
          AND (created_at, id) > (${createdAt}::timestamptz, ${id}::uuid)
        ORDER BY created_at, id LIMIT ${limit}`
    },

    /** Removes old rows of the inbox; those of purchases that are open here stay. */
    purgeInbox: (after: string) =>
      purgeInboxBatch(prisma, sql`SELECT id FROM orders WHERE status = 'PENDING'`, after),

    isReachable: () => isDatabaseReachable(prisma),
    close: () => prisma.$disconnect(),
  }
}

/** The statements of a transaction. */
function inTransaction(tx: Prisma.TransactionClient) {
  return {
    sql: tx as Sql,

    /** Whether it was PENDING until now. */
    async cancelOrder(id: string): Promise<boolean> {
      const { count } = await tx.order.updateMany({
        where: { id, status: 'PENDING' },
        data: { status: 'CANCELLED' },
      })
      return count === 1
    },
  }
}
