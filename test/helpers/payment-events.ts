import { pino } from 'pino'
import type { connectEventRepository } from '../../services/payment/event-repository.ts'
import { createHandlers } from '../../services/payment/http.ts'
import type { createPaymentService } from '../../services/payment/service.ts'
import { createWebhooks } from '../../services/payment/webhooks.ts'
import { paymentRoutes, providerEventRoutes } from '../../shared/contracts/payment.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { createOperatorAuthentication } from '../../shared/http/operators.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import type { Metrics } from '../../shared/runtime/metrics.ts'
import { operators } from './operators.ts'
import type { TestProvider } from './provider.ts'
import { testTokens } from './tokens.ts'

/** The HTTP side of payment, which takes the events of a simulated provider and lists them for operators. */
export async function servePaymentEvents({
  service,
  events,
  simulator,
  secrets = [simulator.webhookSecret],
  metrics,
}: {
  service: ReturnType<typeof createPaymentService>
  events: Awaited<ReturnType<typeof connectEventRepository>>
  simulator: TestProvider
  /** With which events may be signed. */
  secrets?: string[]
  metrics: Metrics
}) {
  const logger = pino({ level: 'silent' })
  const webhooks = createWebhooks({
    stripe: simulator.stripe,
    repository: events,
    secrets,
    toleranceSeconds: 300,
    metrics,
    logger,
  })
  return startHttpServer({
    host: '127.0.0.1',
    port: 0,
    logger,
    metrics,
    health: {},
    routes: { ...paymentRoutes, ...providerEventRoutes },
    handlers: createHandlers(service, webhooks, events),
    authenticate: createAuthentication(testTokens.config),
    authenticateOperator: createOperatorAuthentication(operators.config),
  })
}
