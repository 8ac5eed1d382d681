import { randomUUID } from 'node:crypto'
import type { Redis } from './redis.ts'

const release =
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

export type Lock = {
  /** Whether it was still held. */
  release(): Promise<boolean>
}

/**
 * Locks that save work but protect nothing. A lock expires after `ttlMs`, also while its holder works. It is on one
 * master, so after a failover two holders are possible.
 */
export function createLocks({ cluster, breaker }: Redis, { ttlMs }: { ttlMs: number }) {
  const ask = breaker('lock')
  cluster.defineCommand('releaseLock', { numberOfKeys: 1, lua: release })
  const { releaseLock } = cluster as unknown as {
    releaseLock(key: string, token: string): Promise<number>
  }

  return {
    /** Undefined when another holder has it. Throws when Redis is unavailable. */
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
