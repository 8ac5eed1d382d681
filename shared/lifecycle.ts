import closeWithGrace from 'close-with-grace'
import { createLogger, type Logger } from './logger.ts'

/** A started service: its bound HTTP port, and how to drain and stop it. */
export type Running = { port: number; close(): Promise<void> }

/** Longer than one HTTP request or command may take, shorter than what a supervisor grants before SIGKILL. */
const drainDeadlineMs = 10_000

/**
 * Starts a service's process and owns its end: SIGTERM and SIGINT drain it; a second signal or the deadline ends
 * it at once; a bad configuration, a failed start or an uncaught error is logged and exits 1.
 */
export async function run<C extends { LOG_LEVEL: string }>(
  service: string,
  readConfig: () => C,
  start: (config: C, logger: Logger) => Promise<Running>,
): Promise<void> {
  let logger = createLogger(service, 'info')
  let running: Running | undefined
  closeWithGrace({ delay: drainDeadlineMs, logger: false }, async ({ signal, err }) => {
    if (err) logger.fatal({ err }, 'fatal error')
    else logger.info({ signal }, 'stopping')
    await running?.close()
    logger.info('stopped')
  })
  const config = readConfig()
  logger = createLogger(service, config.LOG_LEVEL)
  running = await start(config, logger)
  logger.info({ port: running.port }, 'started')
}
