import type { AcceptedPurchase } from '../../shared/contracts/purchase.ts'
import type { GrpcClient } from '../../shared/grpc/client.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { PurchaseRow, Repository } from './repository.ts'
import { hasEnded, statusOf } from './shown-status.ts'
import { acceptance, toAccepted } from './views.ts'

type Deps = {
  repository: Pick<Repository, 'requestCancel' | 'cancelDelivered' | 'undeliveredCancels'>
  sagas: Pick<GrpcClient<'saga'>, 'Cancel'>
  logger: Logger
}

/** Older than any cancel request whose delivery is still in progress. */
const undeliveredAfterMs = 3_000
const sweepBatch = 200
/** A request without an answer takes until the deadline of the call, so a batch is not delivered one by one. */
const deliveriesAtOnce = 10

/** Cancel requests: stored on the purchase's row first, then delivered to its saga. */
export function createCancellation({ repository, sagas, logger }: Deps) {
  /**
   * Delivers the request to the saga. False when the purchase ends otherwise; without an answer the request stays on
   * the row, for the sweep.
   */
  async function deliver(row: PurchaseRow): Promise<boolean> {
    let verdict: string
    try {
      verdict = (await sagas.Cancel(toAccepted(row))).verdict
    } catch (err) {
      logger.warn({ err, purchase_id: row.id }, 'cancel request waits for the sweep')
      return true
    }
    const granted = verdict === 'CANCELLING' || verdict === 'CANCELLED'
    await repository.cancelDelivered(row.id, granted)
    logger.info({ purchase_id: row.id, verdict }, 'cancel request delivered')
    return granted
  }

  return {
    /** What is not paid for yet is undone. A request that comes while the payment is taken lets that decide. */
    async cancel(customerId: string, id: string): Promise<AcceptedPurchase> {
      const row = await repository.requestCancel(id, customerId)
      if (!row) throw new AppError('not_found', 'no such purchase')
      const granted = hasEnded(row)
        ? row.status === 'CANCELLED'
        : row.cancelDeliveredAt !== null || (await deliver(row))
      if (!granted) throw new AppError('conflict', 'the purchase is beyond cancelling')
      return { ...acceptance(row), status: statusOf(row) }
    },

    /** Delivers cancel requests that sagas have not received, e.g. because Temporal was unavailable. */
    async deliverPending(): Promise<void> {
      const rows = await repository.undeliveredCancels(undeliveredAfterMs, sweepBatch)
      while (rows.length > 0) await Promise.all(rows.splice(0, deliveriesAtOnce).map(deliver))
    },
  }
}
