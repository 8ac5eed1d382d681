import type { Logger } from '../runtime/logger.ts'
import type { Redis } from './redis.ts'

export type Notices = ReturnType<typeof createNotices>

/** The channel on which account names an account whose sessions, or whose verified address, have changed. */
export const accountChanges = 'account-changes'

/**
 * Short notices from one service to all subscribed processes, over Redis. A subscriber gets them at once while Redis is
 * available. A notice may be lost, so it may shorten a wait but must not be the only source of a fact.
 */
export function createNotices(
  channel: string,
  { redis, logger, prefix = '' }: { redis: Redis; logger: Logger; prefix?: string },
) {
  const { cluster } = redis
  const breaker = redis.breaker('notices')
  const name = prefix + channel

  return {
    /** Never throws. */
    async publish(text: string): Promise<void> {
      try {
        await breaker.run(() => cluster.publish(name, text))
      } catch (err) {
        logger.debug({ err, channel }, 'notice is not published')
      }
    },

    /** For the life of the connection; subscribes again when Redis is available again. */
    subscribe(listener: (text: string) => void): void {
      const subscribe = () => {
        cluster.subscribe(name).catch((err) => logger.warn({ err, channel }, 'no notices for now'))
      }
      cluster.on('message', (from: string, text: string) => {
        if (from === name) listener(text)
      })
      cluster.on('ready', subscribe)
      if (cluster.status === 'ready') subscribe()
    },
  }
}
