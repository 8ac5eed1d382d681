import { setTimeout as sleep } from 'node:timers/promises'
import { Gauge, type Registry } from 'prom-client'
import { type EventBody, type EventName, events } from '../contracts/events.ts'
import type { Sql } from '../database/sql.ts'
import { AppError } from '../runtime/errors.ts'
import { startSweep } from '../runtime/interval.ts'
import type { Logger } from '../runtime/logger.ts'
import { outsideTrace } from '../runtime/tracing.ts'
import type { Publish } from './bus.ts'
import { sendEvent } from './messages.ts'
import { inTraceOf } from './traces.ts'

type Row = { id: bigint; event: EventName; payload: EventBody<EventName>; more: boolean }

const batchSize = 100
/** Of the payloads of a batch; one that is larger goes alone. */
const maxBatchBytes = 1_000_000
const pollMs = 1_000
/** After a query the next one waits, so that many nudges cost five queries a second. */
const openMs = 200
/** Shorter than a transaction may take: the batch is published inside one. */
const publishDeadlineMs = 5_000
/** A count of the backlog reads no more rows than this. */
const maxCounted = 10_000
/** Any number that no other advisory lock of the database has. */
const relayLock = 7_283_651

/**
 * Stores events in the caller's transaction, so that they are published if and only if it commits. Returns the keys of
 * new events; the outbox has, or had, the others.
 */
export async function addToOutbox<N extends EventName>(
  tx: Sql,
  event: N,
  entries: { key: string; body: EventBody<N> }[],
): Promise<Set<string>> {
  // In the same order everywhere, so that no two transactions deadlock.
  const sorted = entries.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  const keys = sorted.map(({ key }) => key)
  const payloads = sorted.map(({ body }) => JSON.stringify(events[event].body.parse(body)))
  const rows = await tx.$queryRaw<{ key: string }[]>`
    INSERT INTO outbox (event, key, payload)
    SELECT ${event}, key, payload::jsonb FROM unnest(${keys}::text[], ${payloads}::text[]) AS given (key, payload)
    ON CONFLICT (key) DO NOTHING RETURNING key`
  return new Set(rows.map(({ key }) => key))
}

/** The purchase that an e-mail is about. */
function purchaseOf({ data }: EventBody<EventName> & { data?: object }): string | undefined {
  return data && 'purchase_id' in data ? String(data.purchase_id) : undefined
}

/** Unsent rows, oldest first, within the bounds of number and bytes. Events of a later version wait for it. */
function readUnsent(tx: Sql): PromiseLike<Row[]> {
  const known = Object.keys(events)
  return tx.$queryRaw<Row[]>`
    WITH oldest AS (
      SELECT id, event, payload FROM outbox WHERE sent_at IS NULL AND event = ANY(${known}::text[])
      ORDER BY id LIMIT ${batchSize} FOR UPDATE SKIP LOCKED
    ), summed AS (
      SELECT *, count(*) OVER () AS rows, row_number() OVER (ORDER BY id) AS row,
        sum(octet_length(payload::text)) OVER (ORDER BY id) AS bytes
      FROM oldest
    ), batch AS (
      SELECT * FROM summed WHERE row = 1 OR bytes <= ${maxBatchBytes}
    )
    SELECT id, event, payload, rows = ${batchSize} OR (SELECT max(row) FROM batch) < rows AS more
    FROM batch ORDER BY id`
}

/**
 * Publishes what is unsent, oldest first, and marks it in the same transaction; whether there is more. One replica
 * does it at a time, which keeps the order. A crash before the commit publishes again, which consumers tolerate. An
 * event that Kafka never takes is skipped, with its payload left in the row, so that it does not hold up the others.
 */
async function relayBatch(tx: Sql, publish: Publish, logger: Logger): Promise<boolean> {
  const [lock] = await tx.$queryRaw<{ ours: boolean }[]>`
    SELECT pg_try_advisory_xact_lock(${relayLock}::bigint) AS ours`
  if (!lock?.ours) return false
  const rows = await readUnsent(tx)
  if (rows.length === 0) return false
  // The publisher keeps this order.
  const refused = await Promise.all(
    rows.map(async ({ id, event, payload }) => {
      try {
        await inTraceOf(purchaseOf(payload), () =>
          sendEvent(publish, event, payload, publishDeadlineMs),
        )
        return []
      } catch (err) {
        if (!(err instanceof AppError) || err.kind !== 'too_large') throw err
        logger.error(
          { err, outbox_id: String(id), event },
          'event skipped: Kafka rejects it permanently',
        )
        return [id]
      }
    }),
  )
  const ids = rows.map(({ id }) => id)
  await tx.$executeRaw`
    UPDATE outbox SET sent_at = now(),
      payload = CASE WHEN id = ANY(${refused.flat()}::bigint[]) THEN payload END
    WHERE id = ANY(${ids}::bigint[])`
  return rows[0]?.more ?? false
}

/**
 * Removes events that were sent this long ago, and with them the memory that their keys were used: by then no
 * event may be added again. The number of those removed, at most `limit`.
 */
export function purgeSent(tx: Sql, olderThanSeconds: number, limit: number): PromiseLike<number> {
  return tx.$executeRaw`
    DELETE FROM outbox WHERE id IN (
      SELECT id FROM outbox WHERE sent_at < now() - make_interval(secs => ${olderThanSeconds})
      ORDER BY sent_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)`
}

/** What waits for Kafka, counted to a limit, and for how long the oldest of it has, in seconds. */
async function readBacklog(tx: Sql): Promise<{ unsent: number; oldest: number }> {
  const [row] = await tx.$queryRaw<{ unsent: number; oldest: number | null }[]>`
    SELECT count(*)::int AS unsent,
      extract(epoch FROM now() - min(created_at))::float8 AS oldest
    FROM (SELECT created_at FROM outbox WHERE sent_at IS NULL ORDER BY id LIMIT ${maxCounted}) AS waiting`
  return { unsent: row?.unsent ?? 0, oldest: row?.oldest ?? 0 }
}

/** Makes a sweep that shows the backlog of a service's outbox. */
export function createOutboxBacklog({
  inTransaction,
  registry,
}: {
  inTransaction: <T>(work: (tx: Sql) => Promise<T>) => Promise<T>
  registry: Registry
}): () => Promise<void> {
  const unsent = new Gauge({
    name: 'outbox_unsent',
    help: 'Events in the outbox that Kafka does not have yet, counted to 10000',
    registers: [registry],
  })
  const oldest = new Gauge({
    name: 'outbox_oldest_unsent_seconds',
    help: 'For how long the oldest event in the outbox has waited for Kafka; 0: nothing waits',
    registers: [registry],
  })
  return async () => {
    const backlog = await inTransaction(readBacklog)
    unsent.set(backlog.unsent)
    oldest.set(backlog.oldest)
  }
}

/**
 * Carries a service's outbox to Kafka: at once when it is nudged after a commit, and by polling for what a crash
 * or another replica left unsent. While Kafka is unavailable everything stays in its row.
 */
export function startRelay({
  inTransaction,
  publish,
  logger,
}: {
  inTransaction: (work: (tx: Sql) => Promise<boolean>) => Promise<boolean>
  publish: Publish
  logger: Logger
}) {
  let running: Promise<void> | undefined
  let again = false
  const closing = new AbortController()

  async function drain(): Promise<void> {
    do {
      again = false
      while (await inTransaction((tx) => relayBatch(tx, publish, logger)));
      await sleep(openMs, undefined, { signal: closing.signal }).catch(() => undefined)
    } while (again)
  }

  function relay(): Promise<void> {
    running ??= outsideTrace(drain).finally(() => {
      running = undefined
    })
    return running
  }

  const sweep = startSweep({ intervalMs: pollMs, run: relay, logger })

  return {
    /** Starts a publication after a commit. Never throws: the poll retries. */
    nudge(): void {
      again = true
      relay().catch((err) => logger.warn({ err }, 'the outbox waits for the next poll'))
    },
    async close(): Promise<void> {
      closing.abort()
      await sweep.close()
      await running?.catch(() => undefined)
    },
  }
}

export type Relay = ReturnType<typeof startRelay>
