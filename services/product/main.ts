import '../../shared/telemetry/start.ts'

import { accountChanges, createNotices } from '../../shared/cache/notices.ts'
import { connectRedis } from '../../shared/cache/redis.ts'
import { productRoutes } from '../../shared/contracts/product.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { grpcSettings } from '../../shared/grpc/config.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { httpSettings } from '../../shared/http/config.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createSessions } from '../../shared/http/sessions.ts'
import { connectKafka } from '../../shared/kafka/client.ts'
import { backgroundPaceMs } from '../../shared/messaging/bus.ts'
import { consumeCommands, flagPoisonedEnd } from '../../shared/messaging/command-handler.ts'
import { consumeEvents } from '../../shared/messaging/event-handler.ts'
import { createInboxPurge, retentionDays } from '../../shared/messaging/inbox-retention.ts'
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
import { createProductMedia } from './media.ts'
import { connectRepository } from './repository.ts'
import { createProductService } from './service.ts'

const overdueIntervalMs = 15_000
const purgeIntervalMs = 60_000
/** How long a product's answer waits for its media. */
const mediaDeadlineMs = 500
const maxPurgedCreations = 500

export async function start(config: Config, logger: Logger) {
  await using resources = createResources()
  const { open } = resources
  const metrics = createMetrics('product')
  const database = open(await connectRepository(config))
  const redis = open(connectRedis(config.REDIS_NODES, { logger, registry: metrics.registry }))
  const { repository } = open(createCachedRepository(database, { redis, logger, metrics }))
  const accounts = open(connectGrpc('auth', config.GRPC_ADDRESS, { metrics }))
  const sessions = createSessions({
    accounts,
    notices: createNotices(accountChanges, { redis, logger }),
    registry: metrics.registry,
  })
  const mediaClient = open(
    connectGrpc('media', config.GRPC_ADDRESS, { deadlineMs: mediaDeadlineMs, metrics }),
  )
  const kafka = open(await connectKafka('product', config, { logger, metrics }))
  const service = createProductService({
    repository,
    publish: kafka.publish,
    logger,
    metrics,
    currencyCode: config.SHOP_CURRENCY,
    categoriesBy: config.CATEGORIES_BY,
    overdueMs: config.SETTLEMENT_OVERDUE_MS,
  })
  const media = createProductMedia({ client: mediaClient, logger, metrics })
  const commands = await consumeCommands(kafka, {
    group: 'product-commands',
    topic: 'product-commands',
    handlers: createCommandHandlers(service),
    logger,
  })
  const results = await consumeEvents(kafka, {
    group: 'product-results',
    paceMs: backgroundPaceMs,
    handlers: createEventHandlers(service),
    onPoison: (message) => flagPoisonedEnd(kafka.publish, message),
  })
  const purgeInbox = createInboxPurge({ purge: repository.purgeInbox, logger })
  const purgeCreations = () => repository.purgeCreations(retentionDays, maxPurgedCreations)
  open(
    startSweeps(
      logger,
      { intervalMs: overdueIntervalMs, run: service.announceOverdue },
      { intervalMs: purgeIntervalMs, run: purgeInbox },
      { intervalMs: purgeIntervalMs, run: purgeCreations },
    ),
  )
  const grpc = open(
    await startGrpcServer({
      service: 'product',
      ...grpcSettings(config),
      logger,
      metrics,
      handlers: createGrpcHandlers(service, database),
    }),
  )
  const http = open(
    await startHttpServer({
      ...httpSettings(config),
      logger,
      metrics,
      routes: productRoutes,
      handlers: createHandlers(service, media),
      authenticate: createAuthentication(config),
      sessions,
      health: {
        database: repository.isReachable,
        commands: commands.joined,
        results: results.joined,
      },
    }),
  )
  return resources.running({ port: http.port, grpcPort: grpc.port })
}

if (import.meta.main) await run('product', readConfig, start)
