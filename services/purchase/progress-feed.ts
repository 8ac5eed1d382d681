import { Counter, type Registry } from 'prom-client'
import {
  endSequence,
  type PurchaseEvent,
  type PurchaseStep,
} from '../../shared/contracts/purchase.ts'
import { createEntities } from '../../shared/entities.ts'
import type { EventStream, ServerEvent } from '../../shared/event-streams.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Redis } from '../../shared/redis.ts'
import { startSweep } from '../../shared/sweep.ts'
import type { PurchaseWithSteps, Repository } from './repository.ts'
import { hasEnded, toPurchase, toStep } from './views.ts'

/** How far a purchase is. `steps` by sequence. */
export type KnownProgress = {
  id: string
  customerId: string
  ended: boolean
  steps: { sequence: number; step: PurchaseStep }[]
}

export type ProgressFeed = {
  /** Says that a row changed. Waits for nothing and never fails. */
  note(purchaseId: string): void
  /** Undefined when there is no such purchase. Fails only when the database does. */
  read(purchaseId: string): Promise<KnownProgress | undefined>
  /** Null when the client has seen the end. */
  watch(known: KnownProgress, after: number, signal: AbortSignal): EventStream<PurchaseEvent>
  close(): Promise<void>
}

type Watcher = {
  /** Behind which entry of the stream to go on. */
  position: number
  seen: Set<number>
  waiting: ServerEvent<PurchaseEvent>[]
  ended: boolean
  wake: () => void
}

const fields = { id: 'string', customerId: 'string', ended: 'number', steps: 'string' } as const
const ttlSeconds = 60 * 60
/** More than a purchase has events. */
const streamLength = 32
const flushMs = 50
const pollMs = 100
/** How often the database is asked all the same: what Redis lost is late by no more than this. */
const lookMs = 1_000
/** How long a replica that watches is known to the others after it last said so. */
const watchedSeconds = 5
const batch = 200
const maxNoted = 10_000

/** Entries have fixed ids, so one that comes again, from any replica, is refused. KEYS: stream. ARGV: length, ttl, id and data… */
const append = `
  for i = 3, #ARGV, 2 do
    redis.pcall('XADD', KEYS[1], 'MAXLEN', ARGV[1], ARGV[i] .. '-0', 'data', ARGV[i + 1])
  end
  return redis.call('EXPIRE', KEYS[1], ARGV[2])`

/**
 * Carries progress from the replica that stored it to those whose clients watch: as a redis-om hash and a stream, which
 * one hash tag keeps on one node. Both may be lost, late or incomplete at any moment. Readers look at the database
 * once a second as well, in one query for all, and an end is told only as the database has it. As long as nobody watches,
 * in any replica, nothing is carried.
 */
export function createProgressFeed({
  redis,
  repository,
  logger,
  registry,
  prefix = '',
}: {
  redis: Redis
  repository: Pick<Repository, 'findMany'>
  logger: Logger
  registry: Registry
  /** Of all keys: keeps those of a test apart. */
  prefix?: string
}): ProgressFeed {
  const { cluster } = redis
  const name = `${prefix}progress`
  const entities = createEntities<{ id: string; customerId: string; ended: number; steps: string }>(
    redis,
    name,
    fields,
    ttlSeconds * 1_000,
  )
  const streaming = redis.breaker('progress')
  const events = new Counter({
    name: 'purchase_progress_events_total',
    help: 'Steps and ends that live readers were told, by where they came from',
    labelNames: ['source'],
    registers: [registry],
  })
  const unpublished = new Counter({
    name: 'purchase_progress_unpublished_total',
    help: 'Changes of a purchase that Redis was not told',
    registers: [registry],
  })
  const noted = new Set<string>()
  const watchers = new Map<string, Set<Watcher>>()
  let looked = Number.NEGATIVE_INFINITY
  let asked = Number.NEGATIVE_INFINITY
  let isWatchedElsewhere = false

  cluster.defineCommand('appendProgress', { numberOfKeys: 1, lua: append })
  const { appendProgress } = cluster as unknown as {
    appendProgress(key: string, ...args: (string | number)[]): Promise<unknown>
  }
  const tagOf = (id: string) => `{${id}}`
  const streamOf = (id: string) => `${name}:${tagOf(id)}:stream`
  const watched = `${name}:watched`

  function sayThatSomebodyWatches(): void {
    streaming
      .run(() => cluster.set(watched, '', 'EX', watchedSeconds))
      .catch((err) => logger.debug({ err }, 'watchers have the database only'))
  }

  /** Asks Redis once a second. Who begins to watch meanwhile has the database. */
  async function isWatched(): Promise<boolean> {
    if (watchers.size > 0) return true
    if (performance.now() - asked >= lookMs) {
      asked = performance.now()
      const found = await streaming.run(() => cluster.exists(watched)).catch(() => 0)
      isWatchedElsewhere = found === 1
    }
    return isWatchedElsewhere
  }

  async function publish(row: PurchaseWithSteps): Promise<void> {
    const { id, customerId, ended, steps } = toKnown(row)
    const entries = steps.flatMap(({ sequence, step }) => [sequence, JSON.stringify(step)])
    if (ended) entries.push(endSequence, '')
    const kept = { id, customerId, ended: Number(ended), steps: JSON.stringify(steps) }
    const told = await Promise.allSettled([
      entities.save(tagOf(id), kept),
      streaming.run(() =>
        appendProgress.call(cluster, streamOf(id), streamLength, ttlSeconds, ...entries),
      ),
    ])
    if (told.some(({ status }) => status === 'rejected')) unpublished.inc()
  }

  /** One query for all that changed meanwhile, and nobody waits for it. */
  async function flush(): Promise<void> {
    if (noted.size > 0 && !(await isWatched())) noted.clear()
    while (noted.size > 0) {
      const ids = [...noted].slice(0, batch)
      for (const id of ids) noted.delete(id)
      await Promise.all((await repository.findMany(ids)).map(publish))
    }
  }

  async function find(id: string): Promise<KnownProgress | undefined> {
    const kept = await entities.find(tagOf(id)).catch(() => undefined)
    return kept && { ...kept, ended: kept.ended === 1, steps: JSON.parse(kept.steps) }
  }

  function tell(watcher: Watcher, source: string, event: ServerEvent<PurchaseEvent>) {
    if (watcher.seen.has(event.id)) return
    watcher.seen.add(event.id)
    watcher.waiting.push(event)
    events.inc({ source })
    watcher.wake()
  }

  /** The ids of those that have ended, which is for the database to tell. */
  async function readStream(id: string): Promise<string | undefined> {
    const all = [...(watchers.get(id) ?? [])]
    if (all.length === 0) return undefined
    const from = Math.min(...all.map(({ position }) => position))
    const entries = await cluster.xrange(streamOf(id), `(${from}-0`, '+')
    let ended = false
    for (const [entry, [, data = '']] of entries) {
      const sequence = Number.parseInt(entry, 10)
      if (sequence === endSequence) {
        ended = true
        continue
      }
      for (const watcher of all.filter(({ position }) => position < sequence)) {
        watcher.position = sequence
        tell(watcher, 'stream', { id: sequence, event: 'step', data: JSON.parse(data) })
      }
    }
    return ended ? id : undefined
  }

  async function readStreams(): Promise<string[]> {
    const ids = [...watchers.keys()]
    const ended = await streaming
      .run(() => Promise.all(ids.map(readStream)))
      .catch((): undefined[] => [])
    return ended.flatMap((id) => id ?? [])
  }

  async function readDatabase(ids: string[]): Promise<void> {
    for (const row of await repository.findMany(ids)) {
      const { ended, steps } = toKnown(row)
      for (const watcher of watchers.get(row.id) ?? []) {
        for (const { sequence, step } of steps) {
          tell(watcher, 'database', { id: sequence, event: 'step', data: step })
        }
        if (!ended) continue
        watcher.ended = true
        tell(watcher, 'database', { id: endSequence, event: 'end', data: toPurchase(row) })
      }
    }
  }

  async function poll(): Promise<void> {
    if (watchers.size === 0) return
    const ended = await readStreams()
    const isTime = performance.now() - looked >= lookMs
    if (isTime) {
      looked = performance.now()
      sayThatSomebodyWatches()
    }
    const ids = isTime ? [...watchers.keys()] : ended
    if (ids.length > 0) await readDatabase(ids)
  }

  const flushing = startSweep({ intervalMs: flushMs, run: flush, logger })
  const polling = startSweep({ intervalMs: pollMs, run: poll, logger })

  async function* follow(known: KnownProgress, after: number, signal: AbortSignal) {
    const { id } = known
    let waking = Promise.withResolvers<void>()
    const wake = () => waking.resolve()
    // What the client had is not told again, even when it came out of order.
    const had = known.steps.filter(({ sequence }) => sequence <= after)
    const watcher: Watcher = {
      position: after,
      seen: new Set(had.map(({ sequence }) => sequence)),
      waiting: [],
      ended: false,
      wake,
    }
    for (const { sequence, step } of known.steps) {
      tell(watcher, 'snapshot', { id: sequence, event: 'step', data: step })
    }
    const together = watchers.get(id) ?? new Set()
    watchers.set(id, together.add(watcher))
    sayThatSomebodyWatches()
    // The database tells an end, and nobody is kept waiting for one that is there.
    if (known.ended) looked = Number.NEGATIVE_INFINITY
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
      together.delete(watcher)
      if (together.size === 0) watchers.delete(id)
    }
  }

  return {
    note(purchaseId) {
      if (noted.size < maxNoted) noted.add(purchaseId)
      else unpublished.inc()
    },

    async read(purchaseId) {
      const kept = await find(purchaseId)
      if (kept) return kept
      const [row] = await repository.findMany([purchaseId])
      if (!row) return undefined
      publish(row).catch((err) => logger.warn({ err }, 'progress was not published'))
      return toKnown(row)
    },

    watch: (known, after, signal) => (after >= endSequence ? null : follow(known, after, signal)),

    async close() {
      await Promise.all([flushing.close(), polling.close()])
    },
  }
}

function toKnown(row: PurchaseWithSteps): KnownProgress {
  return {
    id: row.id,
    customerId: row.customerId,
    ended: hasEnded(row),
    steps: row.steps.map((step) => ({ sequence: step.sequence, step: toStep(step) })),
  }
}
