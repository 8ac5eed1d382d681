import type { Logger } from '../../shared/runtime/logger.ts'
import type { AccountRepository } from './repository.ts'

/** A session takes its refresh tokens along, of which it has one per quarter of an hour that it was used. */
const sessionBatch = 100
const batch = 200

/**
 * Removes rows that have no use any more: a batch of each kind per run, which bounds the length of a run.
 * Replicas that run at once take different rows.
 */
export function createCleanUp({
  repository,
  sessionRetentionSeconds,
  outboxRetentionSeconds,
  logger,
}: {
  repository: AccountRepository
  sessionRetentionSeconds: number
  outboxRetentionSeconds: number
  logger: Logger
}) {
  return async (): Promise<void> => {
    const removed = {
      sessions: await repository.removeSessions(sessionRetentionSeconds, sessionBatch),
      codes: await repository.removeCodes(sessionRetentionSeconds, batch),
      mails: await repository.purgeMails(outboxRetentionSeconds, batch),
    }
    if (Object.values(removed).some((count) => count > 0)) logger.info(removed, 'old rows removed')
  }
}
