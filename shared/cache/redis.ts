import { Cluster } from 'ioredis'
import { Counter, type Registry } from 'prom-client'
import type { Logger } from '../runtime/logger.ts'
import { type Breaker, createBreaker } from '../runtime/resilience.ts'

const reconnectMs = 250
const commandMs = 1_000

/** Redis as a service uses it: two clients, because redis-om knows node-redis only, and a breaker per use. */
export type Redis = {
  cluster: Cluster
  entities: ReturnType<typeof connectEntities>
  /** A breaker whose failed uses are counted under this name. */
  breaker(use: string): Breaker
  close(): Promise<void>
}

/**
 * Connects to the Redis cluster in the background. Redis is only ever a cache, a filter or a limit here, so a cluster
 * that is unavailable is logged, commands fail at once instead of queueing, and connections recover on their own.
 */
export function connectRedis(
  nodes: string[],
  {
    logger,
    registry,
    deadlineMs,
  }: {
    logger: Logger
    registry: Registry
    /** The deadline of a command. */
    deadlineMs?: number
  },
): Redis {
  const cluster = connectCluster(nodes, logger, deadlineMs)
  const entities = connectEntities(nodes, logger)
  const failures = new Counter({
    name: 'redis_failures_total',
    help: 'Uses of Redis that failed or took too long, and were done without it',
    labelNames: ['use'],
    registers: [registry],
  })
  return {
    cluster,
    entities,
    breaker: (use) =>
      createBreaker({
        failures: failures.labels(use),
        ...(deadlineMs !== undefined && { deadlineMs }),
      }),
    async close() {
      cluster.disconnect()
      await entities.close()
    },
  }
}

function connectCluster(nodes: string[], logger: Logger, deadlineMs = commandMs): Cluster {
  const startup = nodes.map((node) => {
    const [host, port] = node.split(':')
    return { host, port: Number(port) }
  })
  const cluster = new Cluster(startup, {
    enableOfflineQueue: false,
    enableReadyCheck: true,
    clusterRetryStrategy: (attempt) => Math.min(100 * 2 ** attempt, 1_000),
    // Filters and locks live on masters only.
    scaleReads: 'master',
    slotsRefreshTimeout: 1_000,
    redisOptions: {
      connectTimeout: 1_000,
      // No shorter than a use may take.
      commandTimeout: Math.max(commandMs, deadlineMs),
      maxRetriesPerRequest: 1,
    },
  })
  cluster.on('error', (err) => logger.warn({ err }, 'redis cluster'))
  return cluster
}

type EntityCluster = Awaited<ReturnType<typeof openCluster>>

async function openCluster(nodes: string[]) {
  const { createCluster } = await import('redis')
  return createCluster({
    rootNodes: nodes.map((node) => ({ url: `redis://${node}` })),
    minimizeConnections: true,
    defaults: {
      disableOfflineQueue: true,
      socket: { connectTimeout: 1_000, reconnectStrategy: false },
    },
  })
}

/**
 * The connection of redis-om, opened on first use: a process without it is some MB smaller. Its client keeps asking a
 * dead master until it receives MOVED, so after a failure it is replaced by a new client, which learns the topology
 * from any node.
 */
function connectEntities(nodes: string[], logger: Logger) {
  let current: EntityCluster | undefined
  let closed = false
  let timer: NodeJS.Timeout | undefined

  async function open() {
    const next = await openCluster(nodes)
    next.on('error', (err) => logger.debug({ err }, 'redis entities'))
    try {
      await next.connect()
      if (closed) await next.disconnect()
      else current = next
    } catch (err) {
      logger.debug({ err }, 'redis entities wait')
      if (!closed) timer = setTimeout(open, reconnectMs)
    }
  }
  let opening: Promise<void> | undefined

  return {
    /** Undefined when there is no connection. */
    async client(): Promise<EntityCluster | undefined> {
      opening ??= open()
      await opening
      return current
    },

    /** Replaces a client that failed. */
    replace(failed: EntityCluster | undefined): void {
      if (failed === undefined || failed !== current || closed) return
      current = undefined
      failed.disconnect().catch(() => undefined)
      timer = setTimeout(() => {
        opening = open()
      }, reconnectMs)
    },

    async close(): Promise<void> {
      closed = true
      clearTimeout(timer)
      await opening
      await current?.disconnect().catch(() => undefined)
    },
  }
}
