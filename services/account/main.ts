import { createApiDocs } from '../../shared/api-docs.ts'
import { createAuthentication } from '../../shared/auth.ts'
import { accountRoutes } from '../../shared/contracts/account.ts'
import { startGrpcServer } from '../../shared/grpc.ts'
import { startHttpServer } from '../../shared/http.ts'
import { connectKafka } from '../../shared/kafka.ts'
import { type Running, run } from '../../shared/lifecycle.ts'
import type { Logger } from '../../shared/logger.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { startRelay } from '../../shared/outbox.ts'
import { createRateLimits } from '../../shared/rate-limits.ts'
import { connectRedis } from '../../shared/redis.ts'
import { consumeEvents } from '../../shared/subscriber.ts'
import { startSweep } from '../../shared/sweep.ts'
import { createCleanUp } from './clean-up.ts'
import { type Config, readConfig } from './config.ts'
import { createEventHandlers } from './events.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers } from './http.ts'
import { createPasswords } from './passwords.ts'
import { connectRepository } from './repository.ts'
import { createAccountService } from './service.ts'
import { createTokens } from './tokens.ts'

const cleanUpIntervalMs = 15_000

export async function start(
  config: Config,
  logger: Logger,
): Promise<Running & { grpcPort: number }> {
  await using starting = new AsyncDisposableStack()
  const metrics = createMetrics('account')
  const repository = starting.adopt(await connectRepository(config), (open) => open.close())
  const kafka = starting.adopt(await connectKafka('account', config, { logger, metrics }), (open) =>
    open.close(),
  )
  const { inTransaction } = repository
  const outbox = startRelay({ inTransaction, publish: kafka.publish, logger })
  starting.defer(() => outbox.close())
  const redis = starting.adopt(
    connectRedis(config.REDIS_NODES, { logger, registry: metrics.registry }),
    (open) => open.close(),
  )
  const service = createAccountService({
    repository,
    passwords: await createPasswords(),
    tokens: createTokens(config),
    outbox,
    codeTtlSeconds: {
      verify: config.VERIFY_CODE_TTL_SECONDS,
      reset: config.RESET_CODE_TTL_SECONDS,
    },
    operatorEmail: config.OPERATOR_EMAIL,
    refreshGraceSeconds: config.REFRESH_GRACE_SECONDS,
    logger,
  })
  const results = await consumeEvents(kafka, {
    group: 'account-results',
    handlers: createEventHandlers(service),
  })
  const cleanUp = startSweep({
    intervalMs: cleanUpIntervalMs,
    run: createCleanUp({
      repository,
      sessionRetentionSeconds: config.SESSION_RETENTION_SECONDS,
      outboxRetentionSeconds: config.OUTBOX_RETENTION_SECONDS,
      logger,
    }),
    logger,
  })
  starting.defer(() => cleanUp.close())
  const grpc = await startGrpcServer({
    service: 'auth',
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
    routes: accountRoutes,
    handlers: createHandlers(service),
    authenticate: createAuthentication(config),
    limits: createRateLimits({ redis, config, logger, registry: metrics.registry }),
    health: { database: repository.answers, results: results.joined },
    pages: createApiDocs(),
  })
  starting.defer(() => http.close())
  const started = starting.move()
  return { port: http.port, grpcPort: grpc.port, close: () => started.disposeAsync() }
}

if (import.meta.main) await run('account', readConfig, start)
