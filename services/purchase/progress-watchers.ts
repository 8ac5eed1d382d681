import type { Counter } from 'prom-client'
import { endSequence, type PurchaseEvent } from '../../shared/contracts/purchase.ts'
import type { ServerEvent } from '../../shared/http/sse.ts'
import { startSweep } from '../../shared/runtime/interval.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { eventId, eventsHad } from './event-ids.ts'
import type { ProgressChannel } from './progress-channel.ts'
import type { Repository } from './repository.ts'
import { type KnownProgress, toKnown, toPurchase } from './views.ts'

type Watcher = {
  /** After which entry of the stream to go on. */
  position: number
  /** The sequences of the events that the client has, or will have when it has read what waits. */
  had: Set<number>
  waiting: ServerEvent<PurchaseEvent>[]
  ended: boolean
  wake: () => void
}

/** What is told of a purchase; the id follows from what the watcher has. */
type News = Omit<ServerEvent<PurchaseEvent>, 'id'>

type Deps = {
  channel: Pick<ProgressChannel, 'read' | 'announceWatchers'>
  repository: Pick<Repository, 'findMany'>
  /** Counts the events sent to clients, by `source`. */
  events: Counter<'source'>
  logger: Logger
}

const pollMs = 100
/** How often the database is read in any case. It bounds the delay of events that Redis lost. */
const readDatabaseMs = 1_000

/**
 * The clients of this replica that watch purchases. Steps come from Redis as they happen. The database is read once a
 * second as well, in one query for all, and an end comes only from the database.
 */
export function createProgressWatchers({ channel, repository, events, logger }: Deps) {
  const watchers = new Map<string, Set<Watcher>>()
  let lastRead = Number.NEGATIVE_INFINITY

  function announce(): void {
    channel
      .announceWatchers()
      .catch((err) => logger.debug({ err }, 'watchers not registered in redis'))
  }

  function tell(watcher: Watcher, source: string, sequence: number, news: News) {
    if (watcher.had.has(sequence)) return
    watcher.had.add(sequence)
    watcher.waiting.push({ id: eventId(watcher.had), ...news })
    events.inc({ source })
    watcher.wake()
  }

  /** The ids of those that have ended; the end itself comes from the database. */
  async function readStreams(): Promise<string[]> {
    const positions = [...watchers].map(([id, all]) => ({
      id,
      after: Math.min(...[...all].map(({ position }) => position)),
    }))
    const streams = await channel.read(positions).catch(() => [])
    for (const { id, steps } of streams) {
      for (const { sequence, step } of steps) {
        for (const watcher of watchers.get(id) ?? []) {
          if (watcher.position >= sequence) continue
          watcher.position = sequence
          tell(watcher, 'stream', sequence, { event: 'step', data: step })
        }
      }
    }
    return streams.filter(({ hasEnd }) => hasEnd).map(({ id }) => id)
  }

  async function readDatabase(ids: string[]): Promise<void> {
    for (const row of await repository.findMany(ids)) {
      const { ended, steps } = toKnown(row)
      for (const watcher of watchers.get(row.id) ?? []) {
        for (const { sequence, step } of steps) {
          tell(watcher, 'database', sequence, { event: 'step', data: step })
        }
        if (!ended) continue
        watcher.ended = true
        tell(watcher, 'database', endSequence, { event: 'end', data: toPurchase(row) })
      }
    }
  }

  async function poll(): Promise<void> {
    if (watchers.size === 0) return
    const ended = await readStreams()
    const isTime = performance.now() - lastRead >= readDatabaseMs
    if (isTime) {
      lastRead = performance.now()
      announce()
    }
    const ids = isTime ? [...watchers.keys()] : ended
    if (ids.length > 0) await readDatabase(ids)
  }

  const polling = startSweep({ intervalMs: pollMs, run: poll, logger })

  function add(id: string, watcher: Watcher): () => void {
    const together = watchers.get(id) ?? new Set()
    watchers.set(id, together.add(watcher))
    announce()
    return () => {
      together.delete(watcher)
      if (together.size === 0 && watchers.get(id) === together) watchers.delete(id)
    }
  }

  return {
    get size() {
      return watchers.size
    },

    /** The events of a purchase that the client does not have, until it has ended or `signal` is aborted. */
    async *follow(
      known: KnownProgress,
      lastEventId: string | undefined,
      signal: AbortSignal,
    ): AsyncGenerator<ServerEvent<PurchaseEvent>> {
      let waking = Promise.withResolvers<void>()
      const wake = () => waking.resolve()
      const had = eventsHad(lastEventId)
      const watcher: Watcher = {
        position: Math.max(0, ...had),
        had,
        waiting: [],
        ended: false,
        wake,
      }
      for (const { sequence, step } of known.steps) {
        tell(watcher, 'snapshot', sequence, { event: 'step', data: step })
      }
      const remove = add(known.id, watcher)
      // An end comes only from the database, and a client does not wait for a stored one.
      if (known.ended) lastRead = Number.NEGATIVE_INFINITY
      signal.addEventListener('abort', wake)
      try {
        while (!signal.aborted) {
          yield* watcher.waiting.splice(0)
          if (watcher.ended && watcher.waiting.length === 0) return
          await waking.promise
          waking = Promise.withResolvers<void>()
        }
      } finally {
        signal.removeEventListener('abort', wake)
        remove()
      }
    },

    close: () => polling.close(),
  }
}
