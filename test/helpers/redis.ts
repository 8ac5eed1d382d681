import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import type { LateIds } from '../../shared/cache/filter.ts'
import { connectRedis } from '../../shared/cache/redis.ts'
import { createLogger } from '../../shared/runtime/logger.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { testStack } from './stack.ts'

/** Keys of their own for one test. */
export const uniqueName = () => `test-${randomBytes(6).toString('hex')}`

/**
 * Redis as one process has it, with its metrics; connected, unless the nodes are unavailable. The deadline is for
 * machines that are busy with tests.
 */
export async function connectTestRedis(nodes?: string[], deadlineMs = 10_000) {
  const metrics = createMetrics('test')
  const logger = createLogger('test', 'silent')
  const redis = connectRedis(nodes ?? (await testStack()).urls.redisNodes, {
    logger,
    registry: metrics.registry,
    deadlineMs,
  })
  if (!nodes) await redisIsUp(redis)
  return {
    redis,
    logger,
    registry: metrics.registry,
    close: () => redis.close(),
    /** The sum of a counter's values that have these labels. */
    async count(name: string, labels: Record<string, string> = {}): Promise<number> {
      const metric = await metrics.registry.getSingleMetric(name)?.get()
      return (metric?.values ?? [])
        .filter((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value))
        .reduce((sum, one) => sum + one.value, 0)
    },
  }
}

export type TestRedis = Awaited<ReturnType<typeof connectTestRedis>>

async function redisIsUp(redis: TestRedis['redis']): Promise<void> {
  // Else the first command loads it, within its deadline.
  await import('redis-om')
  await waitFor('both clients to be connected', async () => {
    const pong = await redis.cluster.get('ping').catch(() => undefined)
    return pong !== undefined && (await redis.entities.client()) ? true : undefined
  })
}

/** What the database keeps for filters, in memory: shared by the processes of one test. */
export function memoryLateIds(): LateIds {
  const marks = new Map<string, string>()
  return {
    async note(_filter, id) {
      const isNew = !marks.has(id)
      marks.set(id, randomUUID())
      return isNew
    },
    list: async (_filter, limit) => [...marks].slice(0, limit).map(([id, mark]) => ({ id, mark })),
    async remove(_filter, ids) {
      for (const { id, mark } of ids) if (marks.get(id) === mark) marks.delete(id)
    },
  }
}

/** The address of a port to a Redis node that breaks every connection until it is opened. */
export async function closedPort() {
  const { urls } = await testStack()
  const [host = '', port] = (urls.redisNodes[0] ?? '').split(':')
  const open = new Set<Socket>()
  let isOpen = false
  const server = createServer((client) => {
    if (!isOpen) {
      client.on('error', () => undefined).resetAndDestroy()
      return
    }
    const node = dial(Number(port), host)
    for (const [socket, other] of [
      [client, node],
      [node, client],
    ] as const) {
      open.add(socket)
      socket.on('error', () => other.destroy())
      socket.pipe(other)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    node: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    open(): void {
      isOpen = true
    },
    close() {
      for (const socket of open) socket.destroy()
      server.close()
    },
  }
}
