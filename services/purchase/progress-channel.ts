import { createEntities } from '../../shared/cache/entities.ts'
import type { Redis } from '../../shared/cache/redis.ts'
import { endSequence, type PurchaseStep } from '../../shared/contracts/purchase.ts'
import type { KnownProgress } from './views.ts'

const fields = { id: 'string', customerId: 'string', ended: 'number', steps: 'string' } as const
const ttlSeconds = 60 * 60
/** More than a purchase has events. */
const streamLength = 32
/** How long a replica that watches is known to the others after it last said so. */
const watchedSeconds = 5

/**
 * Entries have fixed ids, so one that comes again, from any replica, is refused. KEYS: stream. ARGV: length, ttl, id
 * and data…
 */
const append = `
  for i = 3, #ARGV, 2 do
    redis.pcall('XADD', KEYS[1], 'MAXLEN', ARGV[1], ARGV[i] .. '-0', 'data', ARGV[i + 1])
  end
  return redis.call('EXPIRE', KEYS[1], ARGV[2])`

export type ProgressChannel = ReturnType<typeof createProgressChannel>

/**
 * Progress in Redis: a redis-om hash and a stream per purchase, which one hash tag keeps on one node. Both may be lost,
 * late or incomplete at any moment. Every method rejects when Redis is unavailable.
 */
export function createProgressChannel(redis: Redis, prefix: string) {
  const { cluster } = redis
  const name = `${prefix}progress`
  const entities = createEntities<{ id: string; customerId: string; ended: number; steps: string }>(
    redis,
    name,
    fields,
    ttlSeconds * 1_000,
  )
  const streaming = redis.breaker('progress')
  cluster.defineCommand('appendProgress', { numberOfKeys: 1, lua: append })
  const { appendProgress } = cluster as unknown as {
    appendProgress(key: string, ...args: (string | number)[]): Promise<unknown>
  }
  const tagOf = (id: string) => `{${id}}`
  const streamOf = (id: string) => `${name}:${tagOf(id)}:stream`
  const watched = `${name}:watched`

  async function readStream(id: string, after: number): Promise<StreamEntries> {
    const entries = await cluster.xrange(streamOf(id), `(${after}-0`, '+')
    const read: StreamEntries = { id, steps: [], hasEnd: false }
    for (const [entry, [, data = '']] of entries) {
      const sequence = Number.parseInt(entry, 10)
      if (sequence === endSequence) read.hasEnd = true
      else read.steps.push({ sequence, step: JSON.parse(data) })
    }
    return read
  }

  return {
    /** Stores the hash and appends what the stream does not have. */
    async publish({ id, customerId, ended, steps }: KnownProgress): Promise<void> {
      const entries = steps.flatMap(({ sequence, step }) => [sequence, JSON.stringify(step)])
      if (ended) entries.push(endSequence, '')
      const stored = { id, customerId, ended: Number(ended), steps: JSON.stringify(steps) }
      await Promise.all([
        entities.save(tagOf(id), stored),
        streaming.run(() =>
          appendProgress.call(cluster, streamOf(id), streamLength, ttlSeconds, ...entries),
        ),
      ])
    },

    async find(id: string): Promise<KnownProgress | undefined> {
      const stored = await entities.find(tagOf(id))
      return stored && { ...stored, ended: stored.ended === 1, steps: JSON.parse(stored.steps) }
    },

    /** What the streams hold after the given position of each. */
    read: (positions: { id: string; after: number }[]): Promise<StreamEntries[]> =>
      streaming.run(() => Promise.all(positions.map(({ id, after }) => readStream(id, after)))),

    /** Announces to the other replicas that this one has watchers. */
    announceWatchers: (): Promise<unknown> =>
      streaming.run(() => cluster.set(watched, '', 'EX', watchedSeconds)),

    hasWatchers: async (): Promise<boolean> =>
      (await streaming.run(() => cluster.exists(watched))) === 1,
  }
}

type StreamEntries = {
  id: string
  steps: { sequence: number; step: PurchaseStep }[]
  hasEnd: boolean
}
