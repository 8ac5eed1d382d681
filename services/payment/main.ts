import '../../shared/telemetry/start.ts'

import { accountChanges, createNotices } from '../../shared/cache/notices.ts'
import { connectRedis } from '../../shared/cache/redis.ts'
import { paymentRoutes, providerEventRoutes } from '../../shared/contracts/payment.ts'
import { operatorRefundRoutes, refundRoutes } from '../../shared/contracts/refund.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { grpcSettings } from '../../shared/grpc/config.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { httpSettings } from '../../shared/http/config.ts'
import { createOperatorAuthentication } from '../../shared/http/operators.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createSessions } from '../../shared/http/sessions.ts'
import { connectKafka } from '../../shared/kafka/client.ts'
import { consumeCommands } from '../../shared/messaging/command-handler.ts'
import { injectProviderFaults } from '../../shared/messaging/fault-injection.ts'
import { createInboxPurge } from '../../shared/messaging/inbox-retention.ts'
import { startSweeps } from '../../shared/runtime/interval.ts'
import { createResources, run } from '../../shared/runtime/lifecycle.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createCachedRepository } from './cached-repository.ts'
import { createCommandHandlers } from './commands.ts'
import { type Config, readConfig } from './config.ts'
import { connectEventRepository } from './event-repository.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers, createRefundHandlers } from './http.ts'
import { createPendingSweep } from './pending.ts'
import { createProviderGuard } from './provider-guard.ts'
import { createRefundSteps } from './refund-steps.ts'
import { createRefunds } from './refunds.ts'
import { connectRepository } from './repository.ts'
import { createPaymentService } from './service.ts'
import { connectStripe, createStripeProvider } from './stripe-provider.ts'
import { createWebhooks } from './webhooks.ts'

const purgeIntervalMs = 60_000
const askForPendingMs = 10_000
const startRefundsMs = 2_000
/** Events come one a purchase, and a list now and then. */
const eventConnections = 4

export async function start(config: Config, logger: Logger) {
  await using resources = createResources()
  const { open } = resources
  const metrics = createMetrics('payment')
  const database = open(await connectRepository(config))
  const redis = open(connectRedis(config.REDIS_NODES, { logger, registry: metrics.registry }))
  const repository = createCachedRepository(database, { redis, metrics })
  const events = open(
    await connectEventRepository({ ...config, DATABASE_POOL_SIZE: eventConnections }),
  )
  const { stripe } = open(
    connectStripe({
      url: config.STRIPE_API_URL,
      key: config.STRIPE_API_KEY,
      timeoutMs: config.PROVIDER_TIMEOUT_MS,
      connections: config.CONSUMER_CONCURRENCY,
    }),
  )
  const kafka = open(await connectKafka('payment', config, { logger, metrics }))
  const client = createStripeProvider(stripe)
  const drilled = config.FAULTS.length > 0
  const provider = drilled ? injectProviderFaults(client, config, logger) : client
  const guard = createProviderGuard({
    slots: config.CONSUMER_CONCURRENCY,
    timeoutMs: config.PROVIDER_TIMEOUT_MS,
    metrics,
  })
  const service = createPaymentService({
    repository,
    provider,
    guard,
    logger,
  })
  const refundSteps = createRefundSteps({ repository, provider, guard, logger })
  const accounts = open(connectGrpc('auth', config.GRPC_ADDRESS))
  const sessions = createSessions({
    accounts,
    notices: createNotices(accountChanges, { redis, logger }),
    registry: metrics.registry,
  })
  const refunds = createRefunds({
    repository,
    purchases: open(connectGrpc('purchase', config.GRPC_ADDRESS)),
    sagas: open(connectGrpc('saga', config.GRPC_ADDRESS)),
    logger,
  })
  const webhooks = createWebhooks({
    stripe,
    repository: events,
    secrets: config.STRIPE_WEBHOOK_SECRETS,
    toleranceSeconds: config.WEBHOOK_TOLERANCE_SECONDS,
    metrics,
    logger,
  })
  const commands = await consumeCommands(kafka, {
    group: 'payment-commands',
    topic: 'payment-commands',
    handlers: createCommandHandlers(service, refundSteps),
    logger,
  })
  const purgeInbox = createInboxPurge({ purge: repository.purgeInbox, logger })
  const askForPending = createPendingSweep({
    repository,
    provider,
    guard,
    overdueMs: config.PENDING_OVERDUE_MS,
    metrics,
    logger,
  })
  const purgeEvents = () => events.purgeEvents(config.EVENT_RETENTION_SECONDS)
  open(
    startSweeps(
      logger,
      { intervalMs: purgeIntervalMs, run: purgeInbox },
      { intervalMs: purgeIntervalMs, run: purgeEvents },
      { intervalMs: askForPendingMs, run: askForPending },
      { intervalMs: startRefundsMs, run: refunds.startOpen },
    ),
  )
  const grpc = open(
    await startGrpcServer({
      service: 'payment',
      ...grpcSettings(config),
      logger,
      metrics,
      handlers: createGrpcHandlers(database, provider),
    }),
  )
  const http = open(
    await startHttpServer({
      ...httpSettings(config),
      logger,
      metrics,
      routes: {
        ...paymentRoutes,
        ...refundRoutes,
        ...operatorRefundRoutes,
        ...providerEventRoutes,
      },
      handlers: { ...createHandlers(service, webhooks, events), ...createRefundHandlers(refunds) },
      authenticate: createAuthentication(config),
      sessions,
      authenticateOperator: createOperatorAuthentication(config),
      health: { database: repository.isReachable, commands: commands.joined },
    }),
  )
  return resources.running({ port: http.port, grpcPort: grpc.port })
}

if (import.meta.main) await run('payment', readConfig, start)
