import '../../shared/telemetry/start.ts'

import { connectRedis } from '../../shared/cache/redis.ts'
import { orderRoutes } from '../../shared/contracts/order.ts'
import { grpcSettings } from '../../shared/grpc/config.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { httpSettings } from '../../shared/http/config.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { connectKafka } from '../../shared/kafka/client.ts'
import { backgroundPaceMs } from '../../shared/messaging/bus.ts'
import { consumeCommands, flagPoisonedEnd } from '../../shared/messaging/command-handler.ts'
import { consumeEvents } from '../../shared/messaging/event-handler.ts'
import { createInboxPurge } from '../../shared/messaging/inbox-retention.ts'
import { startSweeps } from '../../shared/runtime/interval.ts'
import { createResources, run } from '../../shared/runtime/lifecycle.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createCachedRepository } from './cached-repository.ts'
import { createCommandHandlers } from './commands.ts'
import { type Config, readConfig } from './config.ts'
import { createEventHandlers } from './events.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers } from './http.ts'
import { connectRepository } from './repository.ts'
import { createOrderService } from './service.ts'

const overdueIntervalMs = 15_000
const purgeIntervalMs = 60_000

export async function start(config: Config, logger: Logger) {
  await using resources = createResources()
  const { open } = resources
  const metrics = createMetrics('order')
  const database = open(await connectRepository(config))
  const redis = open(connectRedis(config.REDIS_NODES, { logger, registry: metrics.registry }))
  const repository = createCachedRepository(database, { redis, metrics })
  const kafka = open(await connectKafka('order', config, { logger, metrics }))
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
    paceMs: backgroundPaceMs,
    handlers: createEventHandlers(service),
    onPoison: (message) => flagPoisonedEnd(kafka.publish, message),
  })
  const purgeInbox = createInboxPurge({ purge: repository.purgeInbox, logger })
  open(
    startSweeps(
      logger,
      { intervalMs: overdueIntervalMs, run: service.announceOverdue },
      { intervalMs: purgeIntervalMs, run: purgeInbox },
    ),
  )
  const grpc = open(
    await startGrpcServer({
      service: 'order',
      ...grpcSettings(config),
      logger,
      metrics,
      handlers: createGrpcHandlers(database),
    }),
  )
  const http = open(
    await startHttpServer({
      ...httpSettings(config),
      logger,
      metrics,
      routes: orderRoutes,
      handlers: createHandlers(service),
      authenticate: createAuthentication(config),
      health: {
        database: repository.isReachable,
        commands: commands.joined,
        results: results.joined,
      },
    }),
  )
  return resources.running({ port: http.port, grpcPort: grpc.port })
}

if (import.meta.main) await run('order', readConfig, start)
