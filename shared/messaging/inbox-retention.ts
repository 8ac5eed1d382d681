import { oldestIdAt } from '../contracts/ids.ts'
import type { Sql, sql } from '../database/sql.ts'
import type { Logger } from '../runtime/logger.ts'

type Fragment = ReturnType<typeof sql>

/**
 * Longer than a command can be on its way: Kafka keeps one for a week, and Temporal a saga for 30 days after its end. A
 * do that comes later is past its deadline and is refused without its row.
 */
export const retentionDays = 60
const retentionMs = retentionDays * 24 * 60 * 60 * 1_000

/** Rows that one statement looks at: it takes some milliseconds. */
const batchSize = 500
/** What a run leaves, the next one takes. */
const maxBatches = 100

/** What one statement looked at and removed. `last` is null when nothing was left to look at. */
export type PurgedBatch = { looked: number; purged: number; last: string | null }

/**
 * Removes old rows of the inbox, at most `batchSize`, from the command `after` on. `open` selects the ids of purchases
 * of which something is not final here: an undo of theirs still needs to know what its do was answered, however old
 * they are. The primary key finds the old rows, because the ids of purchases begin with their time.
 */
export async function purgeInboxBatch(
  tx: Sql,
  open: Fragment,
  after: string,
): Promise<PurgedBatch> {
  const [batch] = await tx.$queryRaw<PurgedBatch[]>`
    WITH looked AS (
      SELECT command_id, created_at, CASE
        WHEN command_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/' THEN left(command_id, 36)::uuid
      END AS purchase_id
      FROM inbox WHERE command_id > ${after} AND command_id < ${oldestIdAt(Date.now() - retentionMs)}
      ORDER BY command_id LIMIT ${batchSize} FOR UPDATE SKIP LOCKED
    ), purged AS (
      DELETE FROM inbox USING looked
      WHERE inbox.command_id = looked.command_id
        AND looked.created_at < now() - make_interval(days => ${retentionDays}::int)
        AND NOT EXISTS (SELECT FROM (${open}) AS open (id) WHERE id = purchase_id)
      RETURNING 1
    )
    SELECT count(*)::int AS looked, max(command_id) AS last, (SELECT count(*) FROM purged)::int AS purged
    FROM looked`
  return batch ?? { looked: 0, purged: 0, last: null }
}

/** A run of the sweep that keeps the inbox from growing for ever. `purge` is `purgeInboxBatch` of a participant. */
export function createInboxPurge({
  purge,
  logger,
}: {
  purge: (after: string) => Promise<PurgedBatch>
  logger: Logger
}) {
  return async (): Promise<void> => {
    let [after, purged] = ['', 0]
    for (let batches = 0; batches < maxBatches; batches++) {
      const batch = await purge(after)
      purged += batch.purged
      if (batch.looked < batchSize || batch.last === null) break
      after = batch.last
    }
    if (purged > 0) logger.info({ purged }, 'old rows of the inbox purged')
  }
}
