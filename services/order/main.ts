import { createAuthentication } from '../../shared/auth.ts'
import { orderRoutes } from '../../shared/contracts/order.ts'
import { startHttpServer } from '../../shared/http.ts'
import { connectKafka } from '../../shared/kafka.ts'
import { type Running, run } from '../../shared/lifecycle.ts'
import type { Logger } from '../../shared/logger.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { consumeCommands, flagPoisonedEnd } from '../../shared/participant.ts'
import { connectRedis } from '../../shared/redis.ts'
import { consumeEvents } from '../../shared/subscriber.ts'
import { startSweep } from '../../shared/sweep.ts'
import { createCachedRepository } from './cached-repository.ts'
import { createCommandHandlers, createEventHandlers } from './commands.ts'
import { type Config, readConfig } from './config.ts'
import { createHandlers } from './http.ts'
import { connectRepository } from './repository.ts'
import { createOrderService } from './service.ts'

const sweepIntervalMs = 15_000

export async function start(config: Config, logger: Logger): Promise<Running> {
  await using starting = new AsyncDisposableStack()
  const metrics = createMetrics('order')
  const database = starting.adopt(await connectRepository(config), (open) => open.close())
  const redis = starting.adopt(
    connectRedis(config.REDIS_NODES, { logger, registry: metrics.registry }),
    (open) => open.close(),
  )
  const repository = createCachedRepository(database, { redis, metrics })
  const kafka = starting.adopt(await connectKafka('order', config, { logger, metrics }), (open) =>
    open.close(),
  )
  const service = createOrderService({
    repository,
    publish: kafka.publish,
    logger,
    metrics,
    overdueMs: config.SETTLEMENT_OVERDUE_MS,
  })
  const commands = await consumeCommands(kafka, {
    group: 'order-commands',
    topic: 'order-commands',
    handlers: createCommandHandlers(service),
    logger,
  })
  const results = await consumeEvents(kafka, {
    group: 'order-results',
    handlers: createEventHandlers(service),
    onPoison: (message) => flagPoisonedEnd(kafka.publish, message),
  })
  starting.adopt(
    startSweep({ intervalMs: sweepIntervalMs, run: service.announceOverdue, logger }),
    (sweep) => sweep.close(),
  )
  const http = await startHttpServer({
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    maxInFlight: config.MAX_IN_FLIGHT,
    logger,
    metrics,
    routes: orderRoutes,
    handlers: createHandlers(service),
    authenticate: createAuthentication(config),
    health: { database: repository.answers, commands: commands.joined, results: results.joined },
  })
  starting.defer(() => http.close())
  const started = starting.move()
  return { port: http.port, close: () => started.disposeAsync() }
}

if (import.meta.main) await run('order', readConfig, start)
