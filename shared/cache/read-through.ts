import { setTimeout as sleep } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { Counter, type Registry } from 'prom-client'
import { startSweep } from '../runtime/interval.ts'
import type { Logger } from '../runtime/logger.ts'
import { createEntities, type Fields, type FieldTypes } from './entities.ts'
import type { CuckooFilter } from './filter.ts'
import { createLocks } from './lock.ts'
import type { Redis } from './redis.ts'

export type CachedReader<T> = {
  /** Undefined when there is no such row. Fails only when the database does. */
  read(id: string): Promise<T | undefined>
  /** To be called after a row was written. Never fails: what Redis does not take now is sent later. */
  drop(id: string): Promise<void>
  close(): Promise<void>
}

export type CachedReaderOptions<T extends Fields> = {
  redis: Redis
  /** Of the redis-om schema, so also the prefix of the keys. */
  name: string
  fields: FieldTypes<T>
  load: (id: string) => Promise<T | undefined>
  /** Without one every id may exist. */
  filter?: Pick<CuckooFilter, 'ask'>
  logger: Logger
  registry: Registry
  /** In this process. Other replicas see an update no later than this. */
  memoryMs?: number
  /** In Redis, with a random deviation of a tenth, so that rows that were loaded together do not expire together. */
  ttlMs?: number
  /** How long a read waits for another process that loads the same row. */
  lockWaitMs?: number
}

const memoryEntries = 10_000
/** Longer than a load takes; the result of a longer one is not cached. */
const lockMs = 5_000
const lockPollMs = 15
const pendingInvalidationsMs = 250

/**
 * Reads rows by id: from the memory of this process, the filter, the redis-om hash, then from the database, one load
 * per id at a time under a lock. Without Redis, each process loads an id once at a time, which is slower but never
 * wrong.
 */
export function createCachedReader<T extends Fields>({
  redis,
  name,
  fields,
  load,
  filter,
  logger,
  registry,
  memoryMs = 1_000,
  ttlMs = 60_000,
  lockWaitMs = 200,
}: CachedReaderOptions<T>): CachedReader<T> {
  const measures = cacheMeasures(registry)
  const entities = createEntities<T>(redis, name, fields, ttlMs)
  const locks = createLocks(redis, { ttlMs: lockMs })
  const memory = new LRUCache<string, T>({
    max: memoryEntries,
    ttl: memoryMs,
    fetchMethod: readThrough,
    // A row that is dropped while it is read is returned to earlier callers, and is not cached.
    ignoreFetchAbort: true,
  })
  const pendingInvalidations = new Set<string>()

  function answered(layer: 'memory' | 'filter' | 'redis' | 'database') {
    measures.reads.inc({ cache: name, layer })
  }

  async function readThrough(id: string): Promise<T | undefined> {
    if ((await filter?.ask(id)) === 'absent') {
      answered('filter')
      return undefined
    }
    const kept = await find(id)
    if (kept) {
      answered('redis')
      return kept
    }
    return loadUnderLock(id)
  }

  const find = (id: string): Promise<T | undefined> =>
    pendingInvalidations.has(id)
      ? Promise.resolve(undefined)
      : entities.find(id).catch(() => undefined)

  async function loadUnderLock(id: string): Promise<T | undefined> {
    const key = lockKey(id)
    const lock = await locks.acquire(key).catch(() => 'unavailable' as const)
    if (lock === 'unavailable') return loadRow(id)
    // Another process may have loaded it in the meantime.
    const kept = lock ? await find(id) : await waitForHolder(id)
    if (kept) answered('redis')
    const row = kept ?? (await loadRow(id))
    if (lock) {
      if (!kept && row) await entities.save(id, row).catch(() => undefined)
      // A drop deletes the lock: a row that was loaded before it must not stay.
      const held = await lock.release().catch(() => false)
      if (!held) await dropEntity(id)
    }
    return row
  }

  /** The row that the holder of the lock has loaded, if it arrives within the deadline. */
  async function waitForHolder(id: string): Promise<T | undefined> {
    const deadline = performance.now() + lockWaitMs
    while (performance.now() < deadline) {
      await sleep(lockPollMs)
      const kept = await find(id)
      if (kept) {
        measures.lockWaits.inc({ cache: name, outcome: 'served' })
        return kept
      }
    }
    measures.lockWaits.inc({ cache: name, outcome: 'gave_up' })
    return undefined
  }

  async function loadRow(id: string): Promise<T | undefined> {
    const row = await load(id)
    measures.loads.inc({ cache: name, outcome: row ? 'found' : 'missing' })
    answered('database')
    return row
  }

  // The hash tag is the key of the entity: both are in one slot, so one command deletes both.
  const lockKey = (id: string) => `{${name}:${id}}:lock`
  const dropping = redis.breaker('drop')

  async function dropEntity(id: string): Promise<void> {
    pendingInvalidations.add(id)
    const done = await dropping
      .run(() => redis.cluster.del(`${name}:${id}`, lockKey(id)))
      .catch(() => undefined)
    if (done !== undefined) pendingInvalidations.delete(id)
  }

  const retryingInvalidations = startSweep({
    intervalMs: pendingInvalidationsMs,
    logger,
    async run() {
      for (const id of [...pendingInvalidations]) await dropEntity(id)
    },
  })

  return {
    read(id) {
      const status: LRUCache.Status<string, T> = {}
      const read = memory.fetch(id, { status })
      if (status.fetch === 'hit' || status.fetch === 'inflight') answered('memory')
      return read
    },

    async drop(id) {
      memory.delete(id)
      await dropEntity(id)
    },

    close: () => retryingInvalidations.close(),
  }
}

/** The measures of all caches of a process. */
export function cacheMeasures(registry: Registry) {
  const counter = (name: string, help: string, label: string) =>
    (registry.getSingleMetric(name) as Counter | undefined) ??
    new Counter({ name, help, labelNames: ['cache', label], registers: [registry] })
  return {
    reads: counter('cache_reads_total', 'Reads by the layer that answered them', 'layer'),
    loads: counter('cache_loads_total', 'Rows asked of the database', 'outcome'),
    lockWaits: counter('cache_lock_waits_total', 'Waits for another load, by outcome', 'outcome'),
  }
}
