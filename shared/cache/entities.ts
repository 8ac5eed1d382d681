import type { Entity, Repository } from 'redis-om'
import { CircuitOpenError } from '../runtime/resilience.ts'
import type { Redis } from './redis.ts'

/** The cached form of a row: a flat record, like a Redis hash. */
export type Fields = Record<string, string | number>

export type FieldTypes<T extends Fields> = {
  [K in keyof T]: T[K] extends number ? 'number' : 'string'
}

type Client = Awaited<ReturnType<Redis['entities']['client']>>

/** redis-om returns a missing hash as an entity without fields, so every stored entity has this field. */
type Kept = { expires_at: number }

/** Access through redis-om on the current connection. Every call fails if there is none. */
export function createEntities<T extends Fields>(
  redis: Redis,
  name: string,
  fields: FieldTypes<T>,
  ttlMs: number,
) {
  const names = Object.keys(fields)
  const types: [string, 'string' | 'number'][] = [
    ...Object.entries(fields),
    ['expires_at', 'number'],
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
      if (!(error instanceof CircuitOpenError)) redis.entities.replace(used)
      throw error
    }
  }

  return {
    async find(id: string): Promise<T | undefined> {
      const entity = (await use((open) => open.fetch(id))) as Entity & Partial<Kept>
      if (!((entity.expires_at ?? 0) > Date.now())) return undefined
      return Object.fromEntries(names.map((field) => [field, entity[field]])) as T
    },

    async save(id: string, row: T): Promise<void> {
      const ms = Math.round(ttlMs * (0.9 + Math.random() * 0.2))
      await use(async (open) => {
        // These are two commands: if the second is lost, the entity's own field still tells when it expires.
        await open.save(id, { ...row, expires_at: Date.now() + ms })
        await open.expire(id, Math.ceil(ms / 1_000))
      })
    },
  }
}
