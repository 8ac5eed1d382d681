import closeWithGrace from 'close-with-grace'
import { createLogger, type Logger } from './logger.ts'
import { tracing } from './tracing.ts'

/** A started service: its bound HTTP port, and how to drain and stop it. */
export type Running = { port: number; close(): Promise<void> }

type Closable = { close(): unknown }

/**
 * What a service opens while it starts, in order of dependency. It is closed in reverse: when the start fails, or,
 * after `running`, when the service stops.
 */
export function createResources() {
  const stack = new AsyncDisposableStack()
  return {
    open: <T extends Closable>(opened: T): T =>
      stack.adopt(opened, (it) => it.close() as Promise<void>),
    /** The started service. From then on only its `close` closes what is open. */
    running<T extends { port: number }>(ports: T): T & Running {
      const opened = stack.move()
      return { ...ports, close: () => opened.disposeAsync() }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Longer than one HTTP request or command may take, shorter than what a supervisor grants before SIGKILL. */
const drainDeadlineMs = 10_000

/**
 * Starts a service's process and handles its shutdown: SIGTERM and SIGINT drain it; a second signal or the deadline
 * ends it at once; a bad configuration, a failed start or an uncaught error is logged and exits 1.
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
    await tracing()?.close()
    logger.info('stopped')
  })
  const config = readConfig()
  logger = createLogger(service, config.LOG_LEVEL)
  running = await start(config, logger)
  logger.info({ port: running.port }, 'started')
}
