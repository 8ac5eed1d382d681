import { setTimeout as sleep } from 'node:timers/promises'
import { type EventBody, type EventName, events } from './contracts/events.ts'
import type { Sql } from './inbox.ts'
import type { Logger } from './logger.ts'
import { type Publish, sendEvent } from './messages.ts'
import { startSweep } from './sweep.ts'

type Row = { id: bigint; event: EventName; payload: EventBody<EventName> }

const batchSize = 100
const pollMs = 1_000
/** After a look the next one waits, so that a crowd of nudges costs five looks a second. */
const restMs = 200
/** Shorter than a transaction may take: the batch is published inside one. */
const publishDeadlineMs = 5_000
/** Any number that no other advisory lock of the database has. */
const relayLock = 7_283_651

/**
 * Stores events in the caller's transaction, so that they happen if and only if the rest of it does. The keys of
 * those that are new: the outbox has, or had, the others.
 */
export async function addToOutbox<N extends EventName>(
  tx: Sql,
  event: N,
  entries: { key: string; body: EventBody<N> }[],
): Promise<Set<string>> {
  // In one order everywhere, so that no two transactions wait for each other.
  const sorted = entries.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  const keys = sorted.map(({ key }) => key)
  const payloads = sorted.map(({ body }) => JSON.stringify(events[event].body.parse(body)))
  const rows = await tx.$queryRaw<{ key: string }[]>`
    INSERT INTO outbox (event, key, payload)
    SELECT ${event}, key, payload::jsonb FROM unnest(${keys}::text[], ${payloads}::text[]) AS given (key, payload)
    ON CONFLICT (key) DO NOTHING RETURNING key`
  return new Set(rows.map(({ key }) => key))
}

/**
 * Publishes what is unsent, oldest first, and marks it in the same transaction; the number published. One replica
 * does it at a time, which keeps the order. A crash before the commit publishes again: consumers bear that.
 */
async function relayBatch(tx: Sql, publish: Publish): Promise<number> {
  const [lock] = await tx.$queryRaw<{ ours: boolean }[]>`
    SELECT pg_try_advisory_xact_lock(${relayLock}::bigint) AS ours`
  if (!lock?.ours) return 0
  const rows = await tx.$queryRaw<Row[]>`
    SELECT id, event, payload FROM outbox WHERE sent_at IS NULL
    ORDER BY id LIMIT ${batchSize} FOR UPDATE SKIP LOCKED`
  if (rows.length === 0) return 0
  // They are queued in this order and the publisher keeps it.
  await Promise.all(
    rows.map(({ event, payload }) => sendEvent(publish, event, payload, publishDeadlineMs)),
  )
  const ids = rows.map(({ id }) => id)
  await tx.$executeRaw`
    UPDATE outbox SET sent_at = now(), payload = NULL WHERE id = ANY(${ids}::bigint[])`
  return rows.length
}

/**
 * Removes events that were sent this long ago, and with them the memory that their keys were used: whoever adds one
 * again must have stopped by then. The number of those removed, at most `limit`.
 */
export function forgetSent(tx: Sql, olderThanSeconds: number, limit: number): PromiseLike<number> {
  return tx.$executeRaw`
    DELETE FROM outbox WHERE id IN (
      SELECT id FROM outbox WHERE sent_at < now() - make_interval(secs => ${olderThanSeconds})
      LIMIT ${limit} FOR UPDATE SKIP LOCKED)`
}

/**
 * Carries a service's outbox to Kafka: at once when it is nudged after a commit, and by polling for what a crash
 * or another replica left behind. While Kafka is away everything stays where it is.
 */
export function startRelay({
  inTransaction,
  publish,
  logger,
}: {
  inTransaction: (work: (tx: Sql) => Promise<number>) => Promise<number>
  publish: Publish
  logger: Logger
}) {
  let running: Promise<void> | undefined
  let again = false
  const closing = new AbortController()

  async function drain(): Promise<void> {
    do {
      again = false
      while ((await inTransaction((tx) => relayBatch(tx, publish))) === batchSize);
      await sleep(restMs, undefined, { signal: closing.signal }).catch(() => undefined)
    } while (again)
  }

  function relay(): Promise<void> {
    running ??= drain().finally(() => {
      running = undefined
    })
    return running
  }

  const sweep = startSweep({ intervalMs: pollMs, run: relay, logger })

  return {
    /** Says that something was added. Never throws: the poll tries again. */
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
