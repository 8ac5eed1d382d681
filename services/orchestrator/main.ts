import type { OperatorActed, PurchaseEnded } from '../../shared/contracts/events.ts'
import { operatorRoutes } from '../../shared/contracts/operator.ts'
import { connectGrpc, startGrpcServer } from '../../shared/grpc.ts'
import { startHttpServer } from '../../shared/http.ts'
import { connectKafka } from '../../shared/kafka.ts'
import { type Running, run } from '../../shared/lifecycle.ts'
import type { Logger } from '../../shared/logger.ts'
import { sendEvent } from '../../shared/messages.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { createOperatorAuthentication } from '../../shared/operators.ts'
import { consumeEvents } from '../../shared/subscriber.ts'
import { startSweep } from '../../shared/sweep.ts'
import { connectTemporal, logTemporalWith } from '../../shared/temporal.ts'
import { createCancelWishes } from './cancel-wishes.ts'
import { type Config, readConfig } from './config.ts'
import { createEndings } from './endings.ts'
import { createEventHandlers, refusePoison } from './events.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers } from './http.ts'
import { createOrchestratorMetrics } from './metrics.ts'
import { createOperations } from './operations.ts'
import { createRecovery } from './recovery.ts'
import { consumeReplies } from './replies.ts'
import { createReplyWaiters } from './reply-waiters.ts'
import { createSagaGate } from './saga-gate.ts'
import { createSagas } from './sagas.ts'
import { startWorker } from './worker.ts'

const gateSweepMs = 10_000
const recoverySweepMs = 10_000
/** A saga does not wait for longer to hear whether it is cancelled before it starts. */
const wishDeadlineMs = 3_000

export async function start(
  config: Config,
  logger: Logger,
): Promise<Running & { grpcPort: number }> {
  await using starting = new AsyncDisposableStack()
  const metrics = createMetrics('orchestrator')
  const gate = createSagaGate(config.MAX_UNFINISHED_SAGAS)
  const { lateReplies, needAttention, recovered } = createOrchestratorMetrics(metrics, gate)
  const temporal = starting.adopt(await connectTemporal(config), (open) => open.close())
  const kafka = starting.adopt(
    await connectKafka('orchestrator', config, { logger, metrics }),
    (open) => open.close(),
  )
  const { client } = temporal
  const note = (acted: OperatorActed) => sendEvent(kafka.publish, 'operatorActed', acted)
  const recovery = createRecovery({
    client,
    overdueMs: config.SAGA_OVERDUE_MS,
    flag: (needed) => sendEvent(kafka.publish, 'attentionNeeded', needed),
    note,
    needAttention,
    recovered,
    logger,
  })
  const waiters = createReplyWaiters()
  // Before the worker, so that it closes after it: steps that wait still get their replies.
  const replies = starting.adopt(
    await consumeReplies({ kafka, client, waiters, lateReplies, logger }),
    (open) => open.close(),
  )
  const comeHere = (id: string) => replies.reads('replies', id)
  const purchaseService = starting.adopt(
    connectGrpc('purchase', config.GRPC_ADDRESS, { deadlineMs: wishDeadlineMs }),
    (open) => open.close(),
  )
  const wishes = createCancelWishes({
    waiters,
    comeHere,
    publish: kafka.publish,
    purchases: purchaseService,
    comingUp: gate.waiting,
    logger,
  })
  const announce = (ended: PurchaseEnded) => sendEvent(kafka.publish, 'purchaseEnded', ended)
  const sagas = createSagas({
    client,
    gate,
    settings: {
      stepTimeoutMs: config.STEP_TIMEOUT_MS,
      stepAttempts: config.STEP_ATTEMPTS,
      undoPauseMs: config.UNDO_PAUSE_MS,
      replyWaitMs: config.REPLY_WAIT_MS,
      announceOnceStored: true,
    },
    announce,
    logger,
    wishes,
    recovery,
  })
  const activityDeps = {
    publish: kafka.publish,
    replies: { wait: waiters.wait, isUnwanted: waiters.isUnwanted, comeHere },
  }
  // Before the worker, so that it closes after it: what ends last is announced, too.
  const endings = starting.adopt(
    createEndings({ client, announce, leave: gate.leave, logger }),
    (open) => open.close(),
  )
  const worker = starting.adopt(
    await startWorker(temporal, activityDeps, {
      maxSagas: config.MAX_UNFINISHED_SAGAS,
      maxCachedWorkflows: config.MAX_CACHED_WORKFLOWS,
      onEnd: endings.heard,
    }),
    (open) => open.close(),
  )
  const purchases = starting.adopt(
    await consumeEvents(kafka, {
      group: 'orchestrator-purchases',
      handlers: createEventHandlers(sagas, wishes),
      onPoison: (message) => refusePoison(sagas, message),
    }),
    (open) => open.close(),
  )
  const sweep = startSweep({ intervalMs: gateSweepMs, run: gate.letParkedLeave, logger })
  starting.defer(() => sweep.close())
  const recovering = startSweep({ intervalMs: recoverySweepMs, run: recovery.sweep, logger })
  starting.defer(() => recovering.close())
  const grpc = await startGrpcServer({
    service: 'saga',
    host: config.HTTP_HOST,
    port: config.GRPC_PORT,
    logger,
    handlers: createGrpcHandlers(sagas),
    metrics,
  })
  starting.defer(() => grpc.close())
  const http = await startHttpServer({
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    maxInFlight: config.MAX_IN_FLIGHT,
    logger,
    metrics,
    routes: operatorRoutes,
    handlers: createHandlers(createOperations({ client, recovery, wishes, note, logger })),
    authenticateOperator: createOperatorAuthentication(config),
    health: {
      temporal: temporal.answers,
      worker: worker.running,
      replies: replies.joined,
      purchases: purchases.joined,
    },
  })
  starting.defer(() => http.close())
  const started = starting.move()
  return { port: http.port, grpcPort: grpc.port, close: () => started.disposeAsync() }
}

if (import.meta.main) {
  await run('orchestrator', readConfig, (config, logger) => {
    logTemporalWith(logger)
    return start(config, logger)
  })
}
