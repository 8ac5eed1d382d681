import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { page } from '../../shared/contracts/list.ts'
import type { OrderListQuery } from '../../shared/contracts/order.ts'
import type { Publish } from '../../shared/messaging/bus.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { doOnce, undoOnce } from '../../shared/messaging/inbox.ts'
import { sendEvent } from '../../shared/messaging/messages.ts'
import { PoisonError } from '../../shared/messaging/poison.ts'
import { createOverdueSweep, createSettlementAlarm } from '../../shared/messaging/settlements.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { Metrics } from '../../shared/runtime/metrics.ts'
import type { OrderRepository, OverdueOrder } from './repository.ts'

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
  const alarm = createSettlementAlarm({ registry: metrics.registry, logger })

  return {
    createOrder: (command: Command<'createOrder'>) =>
      doOnce(repository.sql, command, () => repository.insertOrder(command)),

    cancelOrder: (command: Command<'cancelOrder'>) =>
      repository.transaction((tx) =>
        undoOnce(tx.sql, command, async () => {
          const cancelled = await tx.cancelOrder(command.purchaseId)
          if (!cancelled) throw new PoisonError('the order to cancel is not PENDING')
        }),
      ),

    /** Settles an order by the end of its purchase. A contradiction changes nothing and counts as an alarm. */
    async settle({ purchase_id, status }: PurchaseEnded): Promise<void> {
      const completed = status === 'COMPLETED'
      if (completed && (await repository.confirmOrder(purchase_id))) return
      const found = await repository.findStatus(purchase_id)
      const fits = completed ? found === 'CONFIRMED' : found === undefined || found === 'CANCELLED'
      if (fits) return
      alarm({ purchase_id, status, order: found }, 'order contradicts its purchase')
    },

    async listOrders(customerId: string, query: OrderListQuery) {
      return page(await repository.listOrders(customerId, query), query.limit)
    },

    async getOrder(customerId: string, id: string) {
      const found = await repository.findOrder(id)
      // A foreign order is answered like a missing one.
      if (found?.customerId !== customerId) {
        throw new AppError('not_found', 'there is no such order')
      }
      const { customerId: _, ...order } = found
      return order
    },

    announceOverdue: createOverdueSweep({
      list: (limit, after: OverdueOrder | undefined) =>
        repository.listOverdue(overdueMs, limit, after),
      ask: (purchase_id) => sendEvent(publish, 'settlementOverdue', { purchase_id }),
      logger,
    }),
  }
}
