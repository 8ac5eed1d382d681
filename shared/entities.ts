import { type Entity, Repository, Schema } from 'redis-om'
import { NotAskedError } from './breaker.ts'
import type { Redis } from './redis.ts'

/** What is kept of a row: a flat record, as a Redis hash has it. */
export type Fields = Record<string, string | number>

export type FieldTypes<T extends Fields> = {
  [K in keyof T]: T[K] extends number ? 'number' : 'string'
}

/** A missing hash comes back as an entity without fields, so every one that is kept has this. */
type Kept = { kept_until: number }

/** The redis-om side, on whatever connection there is. Every call fails when there is none. */
export function createEntities<T extends Fields>(
  redis: Redis,
  name: string,
  fields: FieldTypes<T>,
  ttlMs: number,
) {
  const names = Object.keys(fields)
  const types: [string, 'string' | 'number'][] = [
    ...Object.entries(fields),
    ['kept_until', 'number'],
  ]
  const definition = Object.fromEntries(types.map(([field, type]) => [field, { type }]))
  const schema = new Schema(name, definition, { dataStructure: 'HASH' })
  const breaker = redis.breaker('entities')
  let client: ReturnType<Redis['entities']['client']>
  let repository: Repository | undefined

  function use<R>(work: (open: Repository) => Promise<R>): Promise<R> {
    return breaker.run(async () => {
      const now = redis.entities.client()
      if (!now) throw new Error('redis-om is not connected')
      if (now !== client || !repository) {
        client = now
        repository = new Repository(schema, now)
      }
      return work(repository)
    })
  }

  const replacing = async <R>(result: Promise<R>): Promise<R> => {
    const used = redis.entities.client()
    try {
      return await result
    } catch (error) {
      if (!(error instanceof NotAskedError)) redis.entities.replace(used)
      throw error
    }
  }

  return {
    async find(id: string): Promise<T | undefined> {
      const entity = (await replacing(use((open) => open.fetch(id)))) as Entity & Partial<Kept>
      if (!((entity.kept_until ?? 0) > Date.now())) return undefined
      return Object.fromEntries(names.map((field) => [field, entity[field]])) as T
    },

    async save(id: string, row: T): Promise<void> {
      const ms = Math.round(ttlMs * (0.9 + Math.random() * 0.2))
      await replacing(
        use(async (open) => {
          // Two commands: an entity that lost its expiry still says itself how long it is good.
          await open.save(id, { ...row, kept_until: Date.now() + ms })
          await open.expire(id, Math.ceil(ms / 1_000))
        }),
      )
    },
  }
}
