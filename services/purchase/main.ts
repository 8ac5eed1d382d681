import '../../shared/telemetry/start.ts'

import { accountChanges, createNotices } from '../../shared/cache/notices.ts'
import { connectRedis } from '../../shared/cache/redis.ts'
import { auditRoutes, purchaseRoutes } from '../../shared/contracts/purchase.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { grpcSettings } from '../../shared/grpc/config.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { httpSettings } from '../../shared/http/config.ts'
import { createOperatorAuthentication } from '../../shared/http/operators.ts'
import { createRateLimits } from '../../shared/http/rate-limits.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createSessions } from '../../shared/http/sessions.ts'
import { connectKafka } from '../../shared/kafka/client.ts'
import { consumeEvents } from '../../shared/messaging/event-handler.ts'
import { startSweeps } from '../../shared/runtime/interval.ts'
import { createResources, run } from '../../shared/runtime/lifecycle.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { type Config, limitsOf, readConfig } from './config.ts'
import { consumeProgress, createEventHandlers } from './events.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createAwaitEnd, createHandlers } from './http.ts'
import { createIdempotencyCache } from './idempotency-cache.ts'
import { createProgressFeed } from './progress-feed.ts'
import { connectRepository } from './repository.ts'
import { createDeliveryPurge } from './retention.ts'
import { createPurchaseService } from './service.ts'

/** After this a client must reconnect. */
const streamDeadlineMs = 300_000
const releaseMs = 1_000
const countUnfinishedMs = 2_000
const notePublishedMs = 1_000
const publishMissingMs = 2_000
const deliverCancelsMs = 2_000
const askForEndsMs = 5_000
const purgeDeliveriesMs = 60_000

export async function start(config: Config, logger: Logger) {
  await using resources = createResources()
  const { open } = resources
  const metrics = createMetrics('purchase')
  const repository = open(await connectRepository(config))
  const redis = open(connectRedis(config.REDIS_NODES, { logger, registry: metrics.registry }))
  const accounts = open(connectGrpc('auth', config.GRPC_ADDRESS, { metrics }))
  const sessions = createSessions({
    accounts,
    notices: createNotices(accountChanges, { redis, logger }),
    registry: metrics.registry,
  })
  const products = open(connectGrpc('product', config.GRPC_ADDRESS, { metrics }))
  const sagas = open(connectGrpc('saga', config.GRPC_ADDRESS, { metrics }))
  const kafka = open(await connectKafka('purchase', config, { logger, metrics }))
  const feed = open(createProgressFeed({ redis, repository, logger, registry: metrics.registry }))
  const service = createPurchaseService({
    repository,
    products,
    accounts,
    sagas,
    overdueMs: config.SAGA_OVERDUE_MS,
    limits: limitsOf(config),
    registry: metrics.registry,
    publish: kafka.publish,
    idempotencyCache: createIdempotencyCache({ redis, logger, registry: metrics.registry }),
    feed,
    currencyCode: config.SHOP_CURRENCY,
    requireVerifiedEmail: config.REQUIRE_VERIFIED_EMAIL,
    logger,
  })
  const progress = await consumeProgress(kafka, service.progress)
  const results = await consumeEvents(kafka, {
    group: 'purchase-results',
    handlers: createEventHandlers(service),
  })
  const { publishing, unfinished, cancellation, stalled } = service
  const purgeDeliveries = createDeliveryPurge({
    ...{ repository, logger },
    retentionDays: config.DELIVERY_RETENTION_DAYS,
  })
  open(publishing)
  open(
    startSweeps(
      logger,
      { intervalMs: releaseMs, run: publishing.release },
      { intervalMs: countUnfinishedMs, run: unfinished.count },
      { intervalMs: notePublishedMs, run: publishing.notePublished },
      { intervalMs: publishMissingMs, run: publishing.publishMissing },
      { intervalMs: deliverCancelsMs, run: cancellation.deliverPending },
      { intervalMs: askForEndsMs, run: stalled.askForEnds },
      { intervalMs: config.SAGA_OVERDUE_MS, run: stalled.restart },
      { intervalMs: purgeDeliveriesMs, run: purgeDeliveries },
    ),
  )
  const grpc = open(
    await startGrpcServer({
      service: 'purchase',
      ...grpcSettings(config),
      logger,
      metrics,
      handlers: createGrpcHandlers(repository),
    }),
  )
  const http = open(
    await startHttpServer({
      ...httpSettings(config),
      logger,
      metrics,
      routes: { ...purchaseRoutes, ...auditRoutes },
      handlers: createHandlers(service),
      authenticate: createAuthentication(config),
      sessions,
      authenticateOperator: createOperatorAuthentication(config),
      limits: createRateLimits({ redis, config, logger, registry: metrics.registry }),
      awaitEnd: createAwaitEnd(service),
      streams: {
        max: config.EVENT_STREAMS_MAX,
        // So that one customer cannot take the streams of all others.
        perClient: Math.ceil(config.EVENT_STREAMS_MAX / 10),
        deadlineMs: streamDeadlineMs,
      },
      health: {
        database: repository.isReachable,
        progress: progress.joined,
        results: results.joined,
      },
    }),
  )
  return resources.running({ port: http.port, grpcPort: grpc.port })
}

if (import.meta.main) await run('purchase', readConfig, start)
