import type { RefundEnded } from '../../shared/contracts/events.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { Repository } from './repository.ts'

/** What purchases and sales show of refunds. */
export function createRefundEnds({
  repository,
  logger,
}: {
  repository: Pick<Repository, 'addRefund'>
  logger: Logger
}) {
  return {
    /** Notes the end of a refund, once. */
    async end(ended: RefundEnded): Promise<void> {
      const changed = await repository.addRefund(ended)
      const { refund_id, purchase_id, status } = ended
      logger.info({ refund_id, purchase_id, status, changed }, 'refund ended')
    },
  }
}
