import { createAuthentication } from '../../shared/auth.ts'
import { productRoutes } from '../../shared/contracts/product.ts'
import { connectGrpc, startGrpcServer } from '../../shared/grpc.ts'
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
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers } from './http.ts'
import { createProductMedia } from './media.ts'
import { connectRepository } from './repository.ts'
import { createProductService } from './service.ts'

const overdueSweepIntervalMs = 15_000

export async function start(config: Config, logger: Logger): Promise<Running> {
  await using starting = new AsyncDisposableStack()
  const metrics = createMetrics('product')
  const database = starting.adopt(await connectRepository(config), (open) => open.close())
  const redis = starting.adopt(
    connectRedis(config.REDIS_NODES, { logger, registry: metrics.registry }),
    (open) => open.close(),
  )
  const { repository } = starting.adopt(
    createCachedRepository(database, { redis, logger, metrics }),
    (open) => open.close(),
  )
  const kafka = starting.adopt(await connectKafka('product', config, { logger, metrics }), (open) =>
    open.close(),
  )
  const service = createProductService({
    repository,
    publish: kafka.publish,
    logger,
    metrics,
    currencyCode: config.SHOP_CURRENCY,
    overdueMs: config.SETTLEMENT_OVERDUE_MS,
  })
  const mediaClient = starting.adopt(
    connectGrpc('media', config.GRPC_ADDRESS, { deadlineMs: config.MEDIA_TIMEOUT_MS }),
    (open) => open.close(),
  )
  const media = createProductMedia({ client: mediaClient, logger, metrics })
  const commands = await consumeCommands(kafka, {
    group: 'product-commands',
    topic: 'product-commands',
    handlers: createCommandHandlers(service),
    logger,
  })
  const results = await consumeEvents(kafka, {
    group: 'product-results',
    handlers: createEventHandlers(service),
    onPoison: (message) => flagPoisonedEnd(kafka.publish, message),
  })
  const sweep = startSweep({
    intervalMs: overdueSweepIntervalMs,
    run: service.announceOverdue,
    logger,
  })
  starting.defer(() => sweep.close())
  const grpc = await startGrpcServer({
    service: 'product',
    host: config.HTTP_HOST,
    port: config.GRPC_PORT,
    maxInFlight: config.MAX_IN_FLIGHT,
    logger,
    handlers: createGrpcHandlers(service),
    metrics,
  })
  starting.defer(() => grpc.close())
  const http = await startHttpServer({
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    maxInFlight: config.MAX_IN_FLIGHT,
    logger,
    metrics,
    routes: productRoutes,
    handlers: createHandlers(service, media),
    authenticate: createAuthentication(config),
    health: { database: repository.answers, commands: commands.joined, results: results.joined },
  })
  starting.defer(() => http.close())
  const started = starting.move()
  return { port: http.port, close: () => started.disposeAsync() }
}

if (import.meta.main) await run('product', readConfig, start)
