import { type Prisma, PrismaClient } from '../../prisma/order/client/client.ts'
import type { Rejected, Reply } from '../../shared/contracts/commands.ts'
import type { Order, OrderStatus } from '../../shared/contracts/order.ts'
import { PoisonError } from '../../shared/faults.ts'
import { handleDo, handleUndo, isExpired, type Sql } from '../../shared/inbox.ts'
import type { Command } from '../../shared/participant.ts'
import { connectDatabase, type DatabaseConfig, databaseAnswers } from '../../shared/prisma.ts'

const done = { outcome: 'done' } as const
const withLines = { lines: { orderBy: { productId: 'asc' } } } as const
/** An order and whose it is. */
export type OwnedOrder = Order & { customerId: string }

type OrderRow = Prisma.OrderGetPayload<{ include: typeof withLines }>

/** An order that nobody settled, with what the next page of them is read by. */
export type OverdueOrder = { id: string; createdAt: Date }

export type OrderRepository = Awaited<ReturnType<typeof connectRepository>>

export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    /** A command that is new is one statement, which is its transaction; every other one is told from its row. */
    async createOrder(command: Command<'createOrder'>): Promise<Reply<'createOrder'> | Rejected> {
      if (!isExpired(command) && (await insertOrder(prisma, command))) return done
      return prisma.$transaction((tx) =>
        handleDo(tx, command, async () => {
          throw new Error('the command was claimed and is free now')
        }),
      )
    },

    cancelOrder: (command: Command<'cancelOrder'>) =>
      prisma.$transaction((tx) =>
        handleUndo(tx, command, async () => {
          const { count } = await tx.order.updateMany({
            where: { id: command.purchaseId, status: 'PENDING' },
            data: { status: 'CANCELLED' },
          })
          if (count === 0) throw new PoisonError('the order to cancel is not PENDING')
        }),
      ),

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

    /** Whoever owns it. A cache may stand in front of this one. */
    async findOrder(id: string): Promise<OwnedOrder | undefined> {
      const row = await prisma.order.findUnique({ where: { id }, include: withLines })
      return row ? { ...toOrder(row), customerId: row.customerId } : undefined
    },

    /** Newest first, those before `cursor`. */
    async listOrders(customerId: string, take: number, cursor?: string): Promise<Order[]> {
      const rows = await prisma.order.findMany({
        where: { customerId, ...(cursor && { id: { lt: cursor } }) },
        orderBy: { id: 'desc' },
        take,
        include: withLines,
      })
      return rows.map(toOrder)
    },

    /** Orders PENDING for longer than `ms`, oldest first, those behind `after`. The database's clock decides. */
    listOverdue(ms: number, limit: number, after?: OverdueOrder): PromiseLike<OverdueOrder[]> {
      const { id, createdAt } = after ?? { id: null, createdAt: null }
      return prisma.$queryRaw<OverdueOrder[]>`
        SELECT id, created_at AS "createdAt" FROM orders
        WHERE status = 'PENDING' AND created_at < now() - ${ms} * interval '1 ms'
          AND (${id}::uuid IS NULL OR (created_at, id) > (${createdAt}::timestamptz, ${id}::uuid))
        ORDER BY created_at, id LIMIT ${limit}`
    },

    answers: () => databaseAnswers(prisma),
    close: () => prisma.$disconnect(),
  }
}

/** Claims the command, writes the order and stores the reply; false, and nothing written, when it was seen before. */
async function insertOrder(
  sql: Pick<Sql, '$executeRaw'>,
  { commandId, purchaseId, body }: Command<'createOrder'>,
): Promise<boolean> {
  const { customer_id, amount, currency_code, lines } = body
  const inserted = await sql.$executeRaw`
    WITH claimed AS (
      INSERT INTO inbox (command_id, reply) VALUES (${commandId}, ${JSON.stringify(done)}::jsonb)
      ON CONFLICT DO NOTHING RETURNING ${purchaseId}::uuid AS order_id
    ), created AS (
      INSERT INTO orders (id, customer_id, status, amount, currency_code)
      SELECT order_id, ${customer_id}::uuid, 'PENDING', ${amount}::bigint, ${currency_code} FROM claimed
    )
    INSERT INTO order_lines (order_id, product_id, name, quantity, unit_price)
    SELECT order_id, line.* FROM claimed, unnest(
      ${lines.map((line) => line.product_id)}::uuid[], ${lines.map((line) => line.name)}::text[],
      ${lines.map((line) => line.quantity)}::int[], ${lines.map((line) => line.unit_price)}::bigint[]
    ) AS line`
  return inserted > 0
}

function toOrder(row: OrderRow): Order {
  return {
    id: row.id,
    status: row.status as OrderStatus,
    lines: row.lines.map((line) => ({
      product_id: line.productId,
      quantity: line.quantity,
      name: line.name,
      unit_price: Number(line.unitPrice),
    })),
    amount: Number(row.amount),
    currency_code: row.currencyCode,
    created_at: row.createdAt.toISOString(),
  }
}
