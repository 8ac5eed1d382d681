import type { Entity, Repository } from 'redis-om'
import { NotAskedError } from './breaker.ts'
import type { Redis } from './redis.ts'

/** What is kept of a row: a flat record, as a Redis hash has it. */
export type Fields = Record<string, string | number>

export type FieldTypes<T extends Fields> = {
  [K in keyof T]: T[K] extends number ? 'number' : 'string'
}

type Client = Awaited<ReturnType<Redis['entities']['client']>>

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
  const breaker = redis.breaker('entities')
  let client: Client
  let repository: Repository | undefined

  async function repositoryOf(now: NonNullable<Client>): Promise<Repository> {
    if (repository && now === client) return repository
    const { Repository, Schema } = await import('redis-om')
    const schema = new Schema(name, definition, { dataStructure: 'HASH' })
    client = now
    repository = new Repository(schema, now)
    return repository
  }

  async function use<R>(work: (open: Repository) => Promise<R>): Promise<R> {
    let used: Client
    try {
      return await breaker.run(async () => {
        used = await redis.entities.client()
        if (!used) throw new Error('redis-om is not connected')
        return work(await repositoryOf(used))
      })
    } catch (error) {
      if (!(error instanceof NotAskedError)) redis.entities.replace(used)
      throw error
    }
  }

  return {
    async find(id: string): Promise<T | undefined> {
      const entity = (await use((open) => open.fetch(id))) as Entity & Partial<Kept>
      if (!((entity.kept_until ?? 0) > Date.now())) return undefined
      return Object.fromEntries(names.map((field) => [field, entity[field]])) as T
    },

    async save(id: string, row: T): Promise<void> {
      const ms = Math.round(ttlMs * (0.9 + Math.random() * 0.2))
      await use(async (open) => {
        // Two commands: an entity that lost its expiry still says itself how long it is good.
        await open.save(id, { ...row, kept_until: Date.now() + ms })
        await open.expire(id, Math.ceil(ms / 1_000))
      })
    },
  }
}
