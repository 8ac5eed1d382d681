import '../../shared/telemetry/start.ts'

import { accountChanges, createNotices } from '../../shared/cache/notices.ts'
import { connectRedis } from '../../shared/cache/redis.ts'
import { accountRoutes } from '../../shared/contracts/account.ts'
import { accountOperatorRoutes } from '../../shared/contracts/account-operators.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { grpcSettings } from '../../shared/grpc/config.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { createApiDocs } from '../../shared/http/api-docs.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { httpSettings } from '../../shared/http/config.ts'
import { createOperatorAuthentication } from '../../shared/http/operators.ts'
import { createRateLimits } from '../../shared/http/rate-limits.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createWebApp } from '../../shared/http/web-app.ts'
import { connectKafka } from '../../shared/kafka/client.ts'
import { backgroundPaceMs } from '../../shared/messaging/bus.ts'
import { consumeEvents } from '../../shared/messaging/event-handler.ts'
import { createOutboxBacklog, startRelay } from '../../shared/messaging/outbox.ts'
import { startSweeps } from '../../shared/runtime/interval.ts'
import { createResources, run } from '../../shared/runtime/lifecycle.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createSeal } from '../../shared/runtime/seal.ts'
import { createBrowserSessions } from './browser-session.ts'
import { createCleanUp } from './clean-up.ts'
import { createCodes } from './codes.ts'
import { type Config, readConfig } from './config.ts'
import { createEventHandlers } from './events.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers } from './http.ts'
import { createKeyedHash } from './keyed-hash.ts'
import { createPasswords } from './passwords.ts'
import { createPersonalData } from './personal-data.ts'
import { createPurchaseMails } from './purchase-mails.ts'
import { connectRepository } from './repository.ts'
import { createRoles } from './roles.ts'
import { createAccountService } from './service.ts'
import { createTokens } from './tokens.ts'

const cleanUpIntervalMs = 15_000
/** Longer than a purchase's end may be announced again: then its mail would be sent again. */
const outboxRetentionSeconds = 60 * 24 * 60 * 60
const deletionIntervalMs = 2_000
const backlogIntervalMs = 5_000

export async function start(config: Config, logger: Logger) {
  await using resources = createResources()
  const { open } = resources
  const metrics = createMetrics('account')
  const repository = open(await connectRepository(config))
  const redis = open(connectRedis(config.REDIS_NODES, { logger, registry: metrics.registry }))
  const kafka = open(await connectKafka('account', config, { logger, metrics }))
  const { inTransaction } = repository
  const outbox = open(startRelay({ inTransaction, publish: kafka.publish, logger }))
  const tokens = createTokens(config)
  const changes = createNotices(accountChanges, { redis, logger })
  const products = open(connectGrpc('product', config.GRPC_ADDRESS, { metrics }))
  const roles = createRoles({ repository, products, changes })
  const purchases = open(connectGrpc('purchase', config.GRPC_ADDRESS, { metrics }))
  const seal = createSeal(config.CODE_SEALING_KEYS)
  const mails = createPurchaseMails({
    ...{ repository, outbox, purchases, seal },
    publicUrl: config.PUBLIC_URL,
    operatorEmail: config.OPERATOR_EMAIL,
  })
  const passwords = await createPasswords()
  const personalData = createPersonalData({
    ...{ repository, passwords, products, purchases, changes, logger },
    delaySeconds: config.ACCOUNT_DELETION_DELAY_SECONDS,
  })
  const hash = createKeyedHash(config.JWT_SIGNING_KEY)
  const service = createAccountService({
    repository,
    passwords,
    tokens,
    outbox,
    changes,
    hash,
    codes: createCodes({
      ttlSeconds: {
        verify: config.VERIFY_CODE_TTL_SECONDS,
        reset: config.RESET_CODE_TTL_SECONDS,
      },
      hash,
      seal,
    }),
    newAccountRoles: config.NEW_ACCOUNT_ROLES,
    refreshGraceSeconds: config.REFRESH_GRACE_SECONDS,
    logger,
  })
  const results = await consumeEvents(kafka, {
    group: 'account-results',
    paceMs: backgroundPaceMs,
    handlers: createEventHandlers(mails),
  })
  const cleanUp = createCleanUp({
    repository,
    sessionRetentionSeconds: config.SESSION_RETENTION_SECONDS,
    outboxRetentionSeconds,
    logger,
  })
  open(
    startSweeps(
      logger,
      { intervalMs: cleanUpIntervalMs, run: cleanUp },
      { intervalMs: deletionIntervalMs, run: personalData.removeLeaving },
      {
        intervalMs: backlogIntervalMs,
        run: createOutboxBacklog({ inTransaction, registry: metrics.registry }),
      },
    ),
  )
  const grpc = open(
    await startGrpcServer({
      service: 'auth',
      ...grpcSettings(config),
      logger,
      metrics,
      handlers: createGrpcHandlers(service),
    }),
  )
  const http = open(
    await startHttpServer({
      ...httpSettings(config),
      logger,
      metrics,
      routes: { ...accountRoutes, ...accountOperatorRoutes },
      handlers: createHandlers(
        service,
        createBrowserSessions({ service, tokens }),
        roles,
        personalData,
      ),
      authenticateOperator: createOperatorAuthentication(config),
      secureCookies: config.PUBLIC_URL.startsWith('https:'),
      authenticate: createAuthentication(config),
      sessions: { check: service.checkSession },
      limits: createRateLimits({ redis, config, logger, registry: metrics.registry }),
      health: { database: repository.isReachable, results: results.joined },
      pages: [
        createApiDocs(),
        createWebApp({ root: config.WEB_ROOT, imageOrigin: config.MEDIA_PUBLIC_URL }),
      ],
    }),
  )
  return resources.running({ port: http.port, grpcPort: grpc.port })
}

if (import.meta.main) await run('account', readConfig, start)
