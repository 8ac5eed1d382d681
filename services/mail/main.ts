import '../../shared/telemetry/start.ts'

import { httpSettings } from '../../shared/http/config.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { connectKafka } from '../../shared/kafka/client.ts'
import { createResources, run } from '../../shared/runtime/lifecycle.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createSeal } from '../../shared/runtime/seal.ts'
import { type Config, readConfig } from './config.ts'
import { consumeEmails } from './events.ts'
import { createSender } from './sender.ts'
import { connectTransport } from './transport.ts'

export async function start(config: Config, logger: Logger) {
  await using resources = createResources()
  const { open } = resources
  const metrics = createMetrics('mail')
  const transport = open(connectTransport(config))
  const kafka = open(await connectKafka('mail', config, { logger, metrics }))
  const emails = await consumeEmails(
    kafka,
    createSender({
      transport,
      seal: createSeal(config.CODE_SEALING_KEYS),
      from: config.MAIL_FROM,
      logger,
    }),
  )
  const http = open(
    await startHttpServer({
      ...httpSettings(config),
      logger,
      metrics,
      routes: {},
      handlers: {},
      health: { smtp: transport.isReachable, emails: emails.joined },
    }),
  )
  return resources.running({ port: http.port })
}

if (import.meta.main) await run('mail', readConfig, start)
