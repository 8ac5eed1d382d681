import { Client, type WorkflowClientInterceptor, type WorkflowHandle } from '@temporalio/client'
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker'
import type { Logger } from './logger.ts'

export type TemporalConfig = { TEMPORAL_ADDRESS: string; TEMPORAL_NAMESPACE: string }

/** All events of one run, as a client fetches them. */
export type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>

/** The task queue of the purchase saga. */
export const taskQueue = 'purchases'

/** For workers. Compressing each call, the SDK's default, costs both sides more CPU than small messages are worth. */
export function connectNatively(address: string): Promise<NativeConnection> {
  return NativeConnection.connect({ address, grpcCompression: { codec: 'none' } })
}

/**
 * Connects a client that shares its connection with the process's worker: what it starts eagerly is handed to
 * that worker without a round trip through the server's queue.
 */
export async function connectTemporal(
  config: TemporalConfig,
  interceptors: WorkflowClientInterceptor[] = [],
) {
  const connection = await connectNatively(config.TEMPORAL_ADDRESS)
  const client = new Client({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    interceptors: { workflow: interceptors },
  })
  return {
    connection,
    client,
    namespace: config.TEMPORAL_NAMESPACE,
    /** For `/health/ready`. */
    async isReachable(): Promise<boolean> {
      await connection.withDeadline(Date.now() + 1_500, () =>
        connection.workflowService.describeNamespace({ namespace: config.TEMPORAL_NAMESPACE }),
      )
      return true
    },
    close: () => connection.close(),
  }
}

export type Temporal = Awaited<ReturnType<typeof connectTemporal>>

const levels = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const

/**
 * Sends the SDK's own log lines, and those of workflows, to the process's log, and serves its metrics at an address of
 * their own, if there is one. Once, before anything connects.
 */
export function installTemporal(logger: Logger, metricsAddress: string): void {
  Runtime.install({
    ...(metricsAddress && {
      telemetryOptions: {
        metrics: {
          prometheus: {
            bindAddress: metricsAddress,
            countersTotalSuffix: true,
            unitSuffix: true,
            useSecondsForDurations: true,
          },
        },
      },
    }),
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      logger[levels[level]]({ temporal: meta }, message)
    }),
  })
}
