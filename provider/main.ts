import '../shared/telemetry/start.ts'

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startSweep } from '../shared/runtime/interval.ts'
import { createResources, run } from '../shared/runtime/lifecycle.ts'
import type { Logger } from '../shared/runtime/logger.ts'
import { createApi } from './api.ts'
import { type Config, readConfig } from './config.ts'
import { createFaults } from './faults.ts'
import { openLedger } from './ledger.ts'
import { createPayments } from './payments.ts'
import { createWebhooks } from './webhooks.ts'

const dropAnswersMs = 60 * 60 * 1_000
/** Longer than its clients keep a connection that they do not use. */
const keepAliveMs = 65_000

/**
 * A payment provider to try the shop with: the part of Stripe's API that the shop uses, with a ledger of its own. It
 * stands for another company's system, so it shares nothing with the services but the start of a process.
 */
export async function start(config: Config, logger: Logger) {
  await using resources = createResources()
  const { open } = resources
  const ledger = open(openLedger(config.PROVIDER_DATABASE))
  const faults = createFaults({ refundFailures: config.SIM_REFUND_FAILURES })
  const webhooks = open(
    createWebhooks({
      ledger,
      faults,
      url: config.PROVIDER_WEBHOOK_URL,
      secret: config.PROVIDER_WEBHOOK_SECRET,
      logger,
    }),
  )
  const payments = createPayments({
    ledger,
    report: webhooks.report,
    refundFailures: faults.refundFailures,
  })
  open(startSweep({ intervalMs: dropAnswersMs, run: async () => ledger.dropOldAnswers(), logger }))
  const api = createApi({
    payments,
    ledger,
    faults,
    keys: config.PROVIDER_KEY,
    changed: webhooks.pump,
    logger,
  })
  const server = createServer({ keepAliveTimeout: keepAliveMs }, (request, response) => {
    if (request.url === '/health/ready') response.end('{"status":"ready"}')
    else void api(request, response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(config.HTTP_PORT, config.HTTP_HOST, resolve)
  })
  open({
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      // Calls whose answers are lost on purpose would never end.
      server.closeAllConnections()
      await closed
    },
  })
  webhooks.pump()
  return resources.running({ port: (server.address() as AddressInfo).port })
}

if (import.meta.main) await run('provider', readConfig, start)
