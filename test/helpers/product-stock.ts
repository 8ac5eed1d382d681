import { pino } from 'pino'
import { createCommandHandlers } from '../../services/product/commands.ts'
import { createEventHandlers } from '../../services/product/events.ts'
import type { Repository } from '../../services/product/repository.ts'
import { createProductService } from '../../services/product/service.ts'
import type { StockLine } from '../../shared/contracts/commands.ts'
import type { TerminalStatus } from '../../shared/contracts/events.ts'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import type { Outgoing } from '../../shared/messaging/bus.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'

export const done = { outcome: 'done' }
export const rejected = (reason: string) => ({ outcome: 'rejected', reason })

export function reserve(
  purchaseId: string,
  lines: StockLine[],
  deadline?: number,
): Command<'reserveStock'> {
  const id = commandId(purchaseId, 'reserve-stock')
  return { name: 'reserveStock', commandId: id, purchaseId, deadline, body: { lines } }
}

export function release(purchaseId: string): Command<'releaseStock'> {
  const id = commandId(purchaseId, 'release-stock')
  return { name: 'releaseStock', commandId: id, purchaseId, deadline: undefined, body: {} }
}

export function line(product_id: string, quantity: number): StockLine {
  return { product_id, quantity }
}

/** A replica of product, as far as it moves stock. */
export function createStock(repository: Repository, { overdueMs = 60_000 } = {}) {
  const published: Outgoing[] = []
  const metrics = createMetrics('product')
  const asked = { transactions: 0, sales: 0 }
  const counted: Repository = {
    ...repository,
    transaction(work) {
      asked.transactions++
      return repository.transaction(work)
    },
    sellAll(purchaseIds) {
      asked.sales++
      return repository.sellAll(purchaseIds)
    },
  }
  const service = createProductService({
    repository: counted,
    publish: async (_topic, message) => void published.push(message),
    logger: pino({ level: 'silent' }),
    metrics,
    currencyCode: 'VND',
    categoriesBy: 'anybody',
    overdueMs,
  })
  const { purchaseEnded } = createEventHandlers(service)
  return {
    service,
    published,
    /** What the service has asked of its repository. */
    asked,
    ...createCommandHandlers(service),
    end: (purchase_id: string, status: TerminalStatus) =>
      purchaseEnded({
        purchase_id,
        customer_id: newId(),
        status,
        reason: null,
        failed_step: null,
      }),
    async alarms() {
      const metric = await metrics.registry.getSingleMetric('settlement_alarms_total')?.get()
      return metric?.values[0]?.value
    },
  }
}

/** A replica of product, whose purchases are of one unit of each product, or of as many of each. */
export function createReplica(repository: Repository) {
  const { service, end, alarms } = createStock(repository)
  return {
    reserve: (purchaseId: string, productIds: string[], quantity = 1) =>
      service.reserveStock(
        reserve(
          purchaseId,
          productIds.map((id) => line(id, quantity)),
        ),
      ),
    release: (purchaseId: string) => service.releaseStock(release(purchaseId)),
    complete: (purchaseId: string) => end(purchaseId, 'COMPLETED'),
    alarms,
  }
}
