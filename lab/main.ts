import { connectStack } from '../scripts/stack/client.ts'
import { labRoutes } from '../shared/contracts/lab.ts'
import { httpSettings } from '../shared/http/config.ts'
import { createOperatorAuthentication } from '../shared/http/operators.ts'
import { startHttpServer } from '../shared/http/server.ts'
import { createResources, run } from '../shared/runtime/lifecycle.ts'
import type { Logger } from '../shared/runtime/logger.ts'
import { createMetrics } from '../shared/runtime/metrics.ts'
import { type Config, readConfig } from './config.ts'
import { createHandlers, createRefusals } from './http.ts'
import { createLab } from './lab.ts'

const maxStreams = 20
const streamDeadlineMs = 300_000

/** The failure lab as a process of its own: it is no part of the shop, and the shop does not need it. */
export async function start(config: Config, logger: Logger) {
  await using resources = createResources()
  const { open } = resources
  const isOff = config.APP_ENV === 'production'
  const lab = isOff ? undefined : open(await openLab(config, logger))
  const http = open(
    await startHttpServer({
      ...httpSettings(config),
      logger,
      metrics: createMetrics('lab'),
      routes: labRoutes,
      handlers: lab ? createHandlers(lab, logger) : createRefusals(),
      authenticateOperator: createOperatorAuthentication(config),
      streams: { max: maxStreams, perClient: maxStreams / 2, deadlineMs: streamDeadlineMs },
      health: {},
    }),
  )
  return resources.running({ port: http.port })
}

async function openLab(config: Config, logger: Logger) {
  const stack = config.STACK_DATA ? await connectStack(config.STACK_DATA) : undefined
  const lab = createLab({
    api: config.SHOP_URL,
    databases: {
      product: config.PRODUCT_DATABASE_URL,
      order: config.ORDER_DATABASE_URL,
      payment: config.PAYMENT_DATABASE_URL,
      purchase: config.PURCHASE_DATABASE_URL,
    },
    provider: { url: config.STRIPE_API_URL, key: config.STRIPE_API_KEY },
    operatorApi: { url: config.OPERATOR_API_URL, token: stack?.secrets.operatorToken ?? '' },
    ...(stack && { stack }),
    logger,
  })
  // A lab that died may have left something broken.
  await lab.restoreLeftOver()
  return lab
}

if (import.meta.main) await run('lab', readConfig, start)
