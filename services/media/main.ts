import { createAuthentication } from '../../shared/auth.ts'
import { startHttpServer } from '../../shared/http.ts'
import { type Running, run } from '../../shared/lifecycle.ts'
import type { Logger } from '../../shared/logger.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { type Config, readConfig } from './config.ts'
import { connectRepository } from './repository.ts'
import { createStorage } from './storage.ts'

export async function start(config: Config, logger: Logger): Promise<Running> {
  await using starting = new AsyncDisposableStack()
  const metrics = createMetrics('media')
  const repository = starting.adopt(await connectRepository(config), (open) => open.close())
  const storage = createStorage(config)
  const http = await startHttpServer({
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    logger,
    metrics,
    routes: {},
    handlers: {},
    authenticate: createAuthentication(config),
    health: { database: repository.answers, storage: storage.answers },
  })
  starting.defer(() => http.close())
  const started = starting.move()
  return { port: http.port, close: () => started.disposeAsync() }
}

if (import.meta.main) await run('media', readConfig, start)
