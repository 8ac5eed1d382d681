import { createAuthentication } from '../../shared/auth.ts'
import { auditRoutes, purchaseRoutes } from '../../shared/contracts/purchase.ts'
import { connectGrpc, startGrpcServer } from '../../shared/grpc.ts'
import { startHttpServer } from '../../shared/http.ts'
import { connectKafka } from '../../shared/kafka.ts'
import { type Running, run } from '../../shared/lifecycle.ts'
import type { Logger } from '../../shared/logger.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { createOperatorAuthentication } from '../../shared/operators.ts'
import { createRateLimits } from '../../shared/rate-limits.ts'
import { connectRedis } from '../../shared/redis.ts'
import { consumeEvents } from '../../shared/subscriber.ts'
import { startSweep } from '../../shared/sweep.ts'
import { createAnswers } from './answers.ts'
import { type Config, readConfig } from './config.ts'
import { consumeProgress, createEventHandlers } from './events.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers } from './http.ts'
import { createProgressFeed } from './progress-feed.ts'
import { connectRepository } from './repository.ts'
import { createPurchaseService } from './service.ts'

const notePublishedMs = 1_000
const publishMissingMs = 2_000
const deliverCancelsMs = 2_000
const askForEndsMs = 5_000

export async function start(config: Config, logger: Logger): Promise<Running> {
  await using starting = new AsyncDisposableStack()
  const metrics = createMetrics('purchase')
  const repository = starting.adopt(await connectRepository(config), (open) => open.close())
  const redis = starting.adopt(
    connectRedis(config.REDIS_NODES, { logger, registry: metrics.registry }),
    (open) => open.close(),
  )
  const accounts = starting.adopt(connectGrpc('auth', config.GRPC_ADDRESS), (open) => open.close())
  const products = starting.adopt(connectGrpc('product', config.GRPC_ADDRESS), (open) =>
    open.close(),
  )
  const sagas = starting.adopt(connectGrpc('saga', config.GRPC_ADDRESS), (open) => open.close())
  const kafka = starting.adopt(
    await connectKafka('purchase', config, { logger, metrics }),
    (open) => open.close(),
  )
  const feed = starting.adopt(
    createProgressFeed({ redis, repository, logger, registry: metrics.registry }),
    (open) => open.close(),
  )
  const service = createPurchaseService({
    repository,
    accounts,
    products,
    sagas,
    overdueMs: config.SAGA_OVERDUE_MS,
    publish: kafka.publish,
    answers: createAnswers({ redis, logger, registry: metrics.registry }),
    feed,
    currencyCode: config.SHOP_CURRENCY,
    requireVerifiedEmail: config.REQUIRE_VERIFIED_EMAIL,
    logger,
  })
  const progress = await consumeProgress(kafka, service)
  const results = await consumeEvents(kafka, {
    group: 'purchase-results',
    handlers: createEventHandlers(service),
  })
  const noting = startSweep({ intervalMs: notePublishedMs, run: service.notePublished, logger })
  const publishing = startSweep({
    intervalMs: publishMissingMs,
    run: service.publishMissing,
    logger,
  })
  const cancelling = startSweep({
    intervalMs: deliverCancelsMs,
    run: service.deliverCancels,
    logger,
  })
  const asking = startSweep({ intervalMs: askForEndsMs, run: service.askForEnds, logger })
  const chasing = startSweep({
    intervalMs: config.SAGA_OVERDUE_MS,
    run: service.askAfterOverdue,
    logger,
  })
  starting.defer(() => service.close())
  starting.defer(() => cancelling.close())
  starting.defer(() => asking.close())
  starting.defer(() => chasing.close())
  starting.defer(() => noting.close())
  starting.defer(() => publishing.close())
  const grpc = await startGrpcServer({
    service: 'purchase',
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
    routes: { ...purchaseRoutes, ...auditRoutes },
    handlers: createHandlers(service),
    authenticate: createAuthentication(config),
    authenticateOperator: createOperatorAuthentication(config),
    limits: createRateLimits({ redis, config, logger, registry: metrics.registry }),
    streams: { max: config.EVENT_STREAMS_MAX, deadlineMs: config.EVENT_STREAM_DEADLINE_MS },
    health: { database: repository.answers, progress: progress.joined, results: results.joined },
  })
  starting.defer(() => http.close())
  const started = starting.move()
  return { port: http.port, close: () => started.disposeAsync() }
}

if (import.meta.main) await run('purchase', readConfig, start)
