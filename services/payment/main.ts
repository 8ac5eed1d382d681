import { createAuthentication } from '../../shared/auth.ts'
import { paymentRoutes } from '../../shared/contracts/payment.ts'
import { injectProviderFaults } from '../../shared/fault-injection.ts'
import { startHttpServer } from '../../shared/http.ts'
import { connectKafka } from '../../shared/kafka.ts'
import { type Running, run } from '../../shared/lifecycle.ts'
import type { Logger } from '../../shared/logger.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { consumeCommands } from '../../shared/participant.ts'
import { connectRedis } from '../../shared/redis.ts'
import { createCachedRepository } from './cached-repository.ts'
import { createCommandHandlers } from './commands.ts'
import { type Config, readConfig } from './config.ts'
import { createHandlers } from './http.ts'
import { connectRepository } from './repository.ts'
import { createPaymentService } from './service.ts'
import { createSimulator } from './simulator.ts'
import { connectSimulatorRepository } from './simulator-repository.ts'

export async function start(config: Config, logger: Logger): Promise<Running> {
  await using starting = new AsyncDisposableStack()
  const metrics = createMetrics('payment')
  const database = starting.adopt(await connectRepository(config), (open) => open.close())
  const redis = starting.adopt(
    connectRedis(config.REDIS_NODES, { logger, registry: metrics.registry }),
    (open) => open.close(),
  )
  const repository = createCachedRepository(database, { redis, metrics })
  const simulatorRepository = starting.adopt(
    await connectSimulatorRepository({
      ...config,
      DATABASE_POOL_SIZE: config.SIM_DATABASE_POOL_SIZE,
    }),
    (open) => open.close(),
  )
  const kafka = starting.adopt(await connectKafka('payment', config, { logger, metrics }), (open) =>
    open.close(),
  )
  const simulator = createSimulator({
    repository: simulatorRepository,
    refundFailures: config.SIM_REFUND_FAILURES,
  })
  const drilled = config.FAULTS.length > 0
  const service = createPaymentService({
    repository,
    provider: drilled ? injectProviderFaults(simulator, config, logger) : simulator,
    providerTimeoutMs: config.PROVIDER_TIMEOUT_MS,
    logger,
  })
  const commands = await consumeCommands(kafka, {
    group: 'payment-commands',
    topic: 'payment-commands',
    handlers: createCommandHandlers(service),
    logger,
  })
  const http = await startHttpServer({
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    maxInFlight: config.MAX_IN_FLIGHT,
    logger,
    metrics,
    routes: paymentRoutes,
    handlers: createHandlers(service),
    authenticate: createAuthentication(config),
    health: { database: repository.answers, commands: commands.joined },
  })
  starting.defer(() => http.close())
  const started = starting.move()
  return { port: http.port, close: () => started.disposeAsync() }
}

if (import.meta.main) await run('payment', readConfig, start)
