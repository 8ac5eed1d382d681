import { randomUUID } from 'node:crypto'
import type { Redis } from './redis.ts'

const release =
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

export type Lock = {
  /** Whether it was still held. */
  release(): Promise<boolean>
}

/**
 * Locks that save work and protect nothing: a holder that dies is waited for no longer than `ttlMs`, and one that
 * takes longer finds its lock gone. One master holds a lock, so a failover may give it twice.
 */
export function createLocks({ cluster, breaker }: Redis, { ttlMs }: { ttlMs: number }) {
  const ask = breaker('lock')
  cluster.defineCommand('releaseLock', { numberOfKeys: 1, lua: release })
  const { releaseLock } = cluster as unknown as {
    releaseLock(key: string, token: string): Promise<number>
  }

  return {
    /** Undefined when somebody else holds it. Throws when Redis is away. */
    async acquire(key: string): Promise<Lock | undefined> {
      const token = randomUUID()
      const taken = await ask.run(() => cluster.set(key, token, 'PX', ttlMs, 'NX'))
      if (taken === null) return undefined
      return {
        release: async () => (await ask.run(() => releaseLock.call(cluster, key, token))) === 1,
      }
    },
  }
}
