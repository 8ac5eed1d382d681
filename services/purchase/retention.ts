import { firstIdAt, nilId } from '../../shared/contracts/ids.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { Repository } from './repository.ts'

const dayMs = 24 * 60 * 60_000
const pageSize = 1_000
const pagesPerRun = 20

/**
 * Removes deliveries whose retention is over, some pages a run. It goes through the purchases in the order of their
 * ids, which needs no index of its own: a process begins with the oldest, and then only reads what has come of age.
 */
export function createDeliveryPurge({
  repository,
  retentionDays,
  logger,
}: {
  repository: Pick<Repository, 'purgeDeliveries'>
  retentionDays: number
  logger: Logger
}) {
  let after = nilId
  return async (): Promise<void> => {
    let removed = 0
    const before = firstIdAt(Date.now() - retentionDays * dayMs)
    for (let page = 0; page < pagesPerRun; page += 1) {
      const { purged, last } = await repository.purgeDeliveries(after, before, pageSize)
      removed += purged
      if (last === undefined) break
      after = last
    }
    if (removed > 0) logger.info({ removed }, 'deliveries removed after their retention')
  }
}
