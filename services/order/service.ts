import { Counter } from 'prom-client'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { type ListQuery, page } from '../../shared/contracts/list.ts'
import { AppError } from '../../shared/errors.ts'
import type { Logger } from '../../shared/logger.ts'
import { type Publish, sendEvent } from '../../shared/messages.ts'
import type { Metrics } from '../../shared/metrics.ts'
import type { OrderRepository, OverdueOrder } from './repository.ts'

const overdueBatch = 100

export type OrderService = ReturnType<typeof createOrderService>

export function createOrderService({
  repository,
  publish,
  logger,
  metrics,
  overdueMs,
}: {
  repository: OrderRepository
  publish: Publish
  logger: Logger
  metrics: Pick<Metrics, 'registry'>
  overdueMs: number
}) {
  const alarms = new Counter({
    name: 'settlement_alarms_total',
    help: 'Ends of purchases that contradict what is stored here; each needs a person',
    registers: [metrics.registry],
  })
  let lastOverdue: OverdueOrder | undefined

  return {
    createOrder: repository.createOrder,
    cancelOrder: repository.cancelOrder,

    /** Settles an order by how its purchase ended. What does not fit changes nothing and alarms. */
    async settle({ purchase_id, status }: PurchaseEnded): Promise<void> {
      const completed = status === 'COMPLETED'
      if (completed && (await repository.confirmOrder(purchase_id))) return
      const found = await repository.findStatus(purchase_id)
      const fits = completed ? found === 'CONFIRMED' : found === undefined || found === 'CANCELLED'
      if (fits) return
      alarms.inc()
      logger.error({ purchase_id, status, order: found }, 'order contradicts its purchase')
    },

    async listOrders(customerId: string, { limit, cursor }: ListQuery) {
      return page(await repository.listOrders(customerId, limit + 1, cursor), limit)
    },

    async getOrder(customerId: string, id: string) {
      const found = await repository.findOrder(id)
      // A foreign order is not told from a missing one.
      if (found?.customerId !== customerId) {
        throw new AppError('not_found', 'there is no such order')
      }
      const { customerId: _, ...order } = found
      return order
    },

    /**
     * Asks how the purchases of the longest pending orders ended. Each run goes on where the one before stopped,
     * so that orders which stay pending never hide the ones behind them.
     */
    async announceOverdue(): Promise<void> {
      const overdue = await repository.listOverdue(overdueMs, overdueBatch, lastOverdue)
      await Promise.all(
        overdue.map(({ id }) => sendEvent(publish, 'settlementOverdue', { purchase_id: id })),
      )
      lastOverdue = overdue.length === overdueBatch ? overdue.at(-1) : undefined
      if (overdue.length > 0) logger.warn({ orders: overdue.length }, 'orders wait for settlement')
    },
  }
}
