import { LRUCache } from 'lru-cache'
import type { Registry } from 'prom-client'
import { createEntities, type Fields, type FieldTypes } from './entities.ts'
import { cacheMeasures } from './read-through.ts'
import type { Redis } from './redis.ts'

export type FinalReaderOptions<T extends Fields> = {
  redis: Redis
  /** Of the redis-om schema, so also the prefix of the keys. */
  name: string
  fields: FieldTypes<T>
  load: (id: string) => Promise<T | undefined>
  /** Whether no later event can change this row. */
  isFinal: (row: T) => boolean
  registry: Registry
  /** In this process. */
  memoryMs?: number
  /** In Redis, with a random deviation of a tenth. */
  ttlMs?: number
}

const memoryEntries = 10_000

/**
 * Reads rows by id: from the memory of this process, from the redis-om hash, then from the database. Only final rows
 * are cached, so no entry is ever dropped or stale. There is no lock: only the owner of a row reads it, and concurrent
 * reads in this process share one load.
 */
export function createFinalReader<T extends Fields>({
  redis,
  name,
  fields,
  load,
  isFinal,
  registry,
  memoryMs = 10_000,
  ttlMs = 600_000,
}: FinalReaderOptions<T>) {
  const measures = cacheMeasures(registry)
  const entities = createEntities<T>(redis, name, fields, ttlMs)
  const memory = new LRUCache<string, T>({
    max: memoryEntries,
    ttl: memoryMs,
    fetchMethod: readThrough,
    ignoreFetchAbort: true,
  })

  function answered(layer: 'memory' | 'redis' | 'database') {
    measures.reads.inc({ cache: name, layer })
  }

  async function readThrough(id: string): Promise<T | undefined> {
    const kept = await entities.find(id).catch(() => undefined)
    if (kept) {
      answered('redis')
      return kept
    }
    const row = await loadRow(id)
    if (!row) return undefined
    if (isFinal(row)) entities.save(id, row).catch(() => undefined)
    // An entry that is deleted while it is fetched is returned to the waiting callers, and is not cached.
    else memory.delete(id)
    return row
  }

  async function loadRow(id: string): Promise<T | undefined> {
    const row = await load(id)
    measures.loads.inc({ cache: name, outcome: row ? 'found' : 'missing' })
    answered('database')
    return row
  }

  return {
    /** Undefined when there is no such row. Fails only when the database does. */
    async read(id: string): Promise<T | undefined> {
      const status: LRUCache.Status<string, T> = {}
      const row = await memory.fetch(id, { status })
      const shared = status.fetch === 'hit' || status.fetch === 'inflight'
      if (!shared) return row
      // The load began before this call, and the row may have changed since.
      if (!row || !isFinal(row)) return loadRow(id)
      answered('memory')
      return row
    },
  }
}

export type FinalReader<T> = { read(id: string): Promise<T | undefined> }
