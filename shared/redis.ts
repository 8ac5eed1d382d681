import { Cluster } from 'ioredis'
import type { Logger } from './logger.ts'

/**
 * Connects to the Redis cluster. Redis is only ever a cache or a fan-out here, so a cluster that is away is
 * logged, commands fail at once instead of queueing, and the connection heals by itself.
 */
export function connectRedis(nodes: string[], logger: Logger): Cluster {
  const startup = nodes.map((node) => {
    const [host, port] = node.split(':')
    return { host, port: Number(port) }
  })
  const cluster = new Cluster(startup, {
    enableOfflineQueue: false,
    enableReadyCheck: true,
    clusterRetryStrategy: (attempt) => Math.min(100 * 2 ** attempt, 2_000),
    redisOptions: { connectTimeout: 2_000, commandTimeout: 500, maxRetriesPerRequest: 1 },
  })
  cluster.on('error', (err) => logger.warn({ err }, 'redis cluster'))
  return cluster
}
