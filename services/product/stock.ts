import type { Reply, StockLine } from '../../shared/contracts/commands.ts'
import type { EventBody } from '../../shared/contracts/events.ts'
import { createBatchedWrite } from '../../shared/database/batched-write.ts'
import type { Publish } from '../../shared/messaging/bus.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { doOnce, undoOnce, untilDoneOnce } from '../../shared/messaging/inbox.ts'
import { sendEvent } from '../../shared/messaging/messages.ts'
import { NoReplyError } from '../../shared/messaging/poison.ts'
import { createOverdueSweep, createSettlementAlarm } from '../../shared/messaging/settlements.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { Metrics } from '../../shared/runtime/metrics.ts'
import type { Repository } from './repository.ts'
import type { Line } from './stock-repository.ts'

/** What purchases do to stock: hold it, release it, or sell it; and refunds: put back what was sold. */
export function createStock({
  repository,
  publish,
  logger,
  metrics,
  overdueMs,
}: {
  repository: Repository
  publish: Publish
  logger: Logger
  metrics: Pick<Metrics, 'registry'>
  /** How long stock may be held before the end of its purchase is asked for. */
  overdueMs: number
}) {
  const alarm = createSettlementAlarm({ registry: metrics.registry, logger })
  const sell = createBatchedWrite(async (purchaseIds: string[]) => {
    const sold = new Set(await repository.sellAll(purchaseIds))
    return purchaseIds.map((id) => sold.has(id))
  })

  return {
    /** Whether each product exists and that much of it is free now, each product once. Nothing is held. */
    async checkStock(lines: StockLine[]) {
      const wanted = mergeLines(lines)
      const stock = await repository.readStock(wanted.map((line) => line.productId))
      return wanted.map(({ productId, quantity }) => ({
        product_id: productId,
        exists: stock.has(productId),
        in_stock: (stock.get(productId) ?? 0) >= quantity,
      }))
    },

    reserveStock: (command: Command<'reserveStock'>) =>
      doOnce(repository.sql, command, () =>
        repository.holdStock(command, mergeLines(command.body.lines)),
      ),

    releaseStock(command: Command<'releaseStock'>): Promise<Reply<'releaseStock'>> {
      const { purchaseId } = command
      return repository.transaction((tx) =>
        undoOnce(tx.sql, command, async () => {
          const holds = await tx.lockHolds(purchaseId)
          const released = await tx.release(purchaseId)
          if (released === holds.length) return
          alarm({ purchase_id: purchaseId, holds }, 'stock to release is not held')
        }),
      )
    },

    /**
     * Puts back what a completed purchase bought, each line once. Its end may not have come here yet: then the saga
     * asks again.
     */
    returnStock(command: Command<'returnStock'>): Promise<Reply<'returnStock'>> {
      const { purchaseId, body } = command
      return repository.transaction((tx) =>
        untilDoneOnce(tx.sql, command, async () => {
          const holds = await tx.lockHolds(purchaseId)
          const asked = holds.filter(({ productId }) => body.product_ids.includes(productId))
          if (asked.some(({ status }) => status === 'HELD')) {
            throw new NoReplyError('the purchase is not settled here yet')
          }
          await tx.putBack(purchaseId, body.product_ids)
        }),
      )
    },

    /** Sells what a completed purchase holds. Any other end has released it before, so nothing is left to do. */
    async settle({ purchase_id, status }: EventBody<'purchaseEnded'>): Promise<void> {
      const completed = status === 'COMPLETED'
      if (completed && (await sell(purchase_id))) return
      const holds = await repository.findHolds(purchase_id)
      if (!completed && holds.every((hold) => hold.status === 'RELEASED')) return
      alarm({ purchase_id, status, holds }, 'purchase end does not fit its holds')
    },

    announceOverdue: createOverdueSweep({
      list: (limit, after) => repository.listOverdue(overdueMs, limit, after),
      ask: (purchase_id) => sendEvent(publish, 'settlementOverdue', { purchase_id }),
      logger,
    }),
  }
}

/** One line per product. Ids are compared as the database writes them. */
function mergeLines(lines: StockLine[]): Line[] {
  const quantities = new Map<string, number>()
  for (const { product_id, quantity } of lines) {
    const id = product_id.toLowerCase()
    quantities.set(id, (quantities.get(id) ?? 0) + quantity)
  }
  return [...quantities].map(([productId, quantity]) => ({ productId, quantity }))
}
