import { startHttpServer } from '../../shared/http.ts'
import { connectKafka } from '../../shared/kafka.ts'
import { type Running, run } from '../../shared/lifecycle.ts'
import type { Logger } from '../../shared/logger.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { type Config, readConfig } from './config.ts'
import { consumeEmails } from './emails.ts'
import { createSender } from './sender.ts'
import { connectTransport } from './transport.ts'

export async function start(config: Config, logger: Logger): Promise<Running> {
  await using starting = new AsyncDisposableStack()
  const metrics = createMetrics('mail')
  const transport = starting.adopt(connectTransport(config), (open) => open.close())
  const kafka = starting.adopt(await connectKafka('mail', config, { logger, metrics }), (open) =>
    open.close(),
  )
  const emails = await consumeEmails(
    kafka,
    createSender({ transport, from: config.MAIL_FROM, logger }),
  )
  const http = await startHttpServer({
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    maxInFlight: config.MAX_IN_FLIGHT,
    logger,
    metrics,
    routes: {},
    handlers: {},
    health: { smtp: transport.answers, emails: emails.joined },
  })
  starting.defer(() => http.close())
  const started = starting.move()
  return { port: http.port, close: () => started.disposeAsync() }
}

if (import.meta.main) await run('mail', readConfig, start)
