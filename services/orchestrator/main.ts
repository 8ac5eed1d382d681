import '../../shared/telemetry/start.ts'

import { consoleRoutes } from '../../shared/contracts/console.ts'
import { operatorRoutes, refundSagaRoutes } from '../../shared/contracts/operator.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { grpcSettings } from '../../shared/grpc/config.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { httpSettings } from '../../shared/http/config.ts'
import { createOperatorDocs } from '../../shared/http/operator-docs.ts'
import { createOperatorSessions } from '../../shared/http/operator-sessions.ts'
import { createOperatorAuthentication } from '../../shared/http/operators.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { connectKafka } from '../../shared/kafka/client.ts'
import { consumeEvents } from '../../shared/messaging/event-handler.ts'
import { startSweeps } from '../../shared/runtime/interval.ts'
import { createResources, run } from '../../shared/runtime/lifecycle.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { connectTemporal, installTemporal } from '../../shared/runtime/temporal.ts'
import { type Config, readConfig } from './config.ts'
import { createConsole } from './console/console.ts'
import { createDeadLetters } from './console/dead-letters.ts'
import { createEventHandlers, refusePoison } from './events.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers } from './http.ts'
import { createKafkaLag } from './kafka-lag.ts'
import { createOrchestratorMetrics } from './metrics.ts'
import { consumeReplies } from './replies.ts'
import { cancelDeadlineMs } from './saga/cancel.ts'
import { createSagas } from './saga/sagas.ts'
import { createSagaGate } from './worker/admission.ts'
import { createReplyWaiters } from './worker/reply-waiters.ts'
import { createTemporalInterceptors } from './worker/traces.ts'
import { startWorker } from './worker/worker.ts'

const gateIntervalMs = 10_000
const recoveryIntervalMs = 10_000
const lagIntervalMs = 15_000
/** A saga that starts late does not wait for the row of its purchase for longer. */
const rowDeadlineMs = 3_000
/** After this an operator's browser opens its live view again. */
const streamDeadlineMs = 300_000

export async function start(config: Config, logger: Logger) {
  await using resources = createResources()
  const { open } = resources
  const metrics = createMetrics('orchestrator')
  const gate = createSagaGate(config.MAX_UNFINISHED_SAGAS)
  const counted = createOrchestratorMetrics(metrics, gate)
  const interceptors = await createTemporalInterceptors()
  const temporal = open(await connectTemporal(config, interceptors.client))
  const { client } = temporal
  const purchaseService = open(
    connectGrpc('purchase', config.GRPC_ADDRESS, { deadlineMs: rowDeadlineMs, metrics }),
  )
  const kafka = open(await connectKafka('orchestrator', config, { logger, metrics }))
  const sagas = createSagas({
    client,
    purchases: purchaseService,
    publish: kafka.publish,
    gate,
    settings: {
      stepTimeoutMs: config.STEP_TIMEOUT_MS,
      stepAttempts: config.STEP_ATTEMPTS,
      undoPauseMs: config.UNDO_PAUSE_MS,
      replyWaitMs: config.REPLY_WAIT_MS,
      announceOnceStored: true,
      showCompleted: true,
      // A cancel request that got no answer in its time takes effect before the next step.
      maxTaskMs: cancelDeadlineMs,
    },
    overdueMs: config.SAGA_OVERDUE_MS,
    metrics: counted,
    logger,
  })
  const waiters = createReplyWaiters()
  // Before the worker, so that it closes after it: steps that wait still get their replies.
  const replies = open(
    await consumeReplies({
      kafka,
      client,
      waiters,
      isCancelPending: sagas.isCancelPending,
      lateReplies: counted.lateReplies,
      logger,
    }),
  )
  const comeHere = (id: string) => replies.reads('replies', id)
  const activityDeps = {
    publish: kafka.publish,
    replies: { wait: waiters.wait, comeHere },
    onSend: counted.commandSent,
  }
  // Before the worker, so that it closes after it: what ends last is announced, too.
  open(sagas.endings)
  const worker = open(
    await startWorker(temporal, activityDeps, {
      maxSagas: config.MAX_UNFINISHED_SAGAS,
      maxCachedWorkflows: config.MAX_CACHED_WORKFLOWS,
      interceptors: interceptors.activity,
      onCompleted: sagas.endings.onCompleted,
    }),
  )
  const purchases = open(
    await consumeEvents(kafka, {
      group: 'orchestrator-purchases',
      handlers: createEventHandlers(sagas.starts, sagas.announceAgain),
      onPoison: (message) => refusePoison(sagas.starts, message),
    }),
  )
  const lag = open(createKafkaLag({ config, registry: metrics.registry }))
  open(
    startSweeps(
      logger,
      { intervalMs: lagIntervalMs, run: lag.read },
      { intervalMs: gateIntervalMs, run: gate.evictStale },
      { intervalMs: recoveryIntervalMs, run: sagas.sweep },
    ),
  )
  const grpc = open(
    await startGrpcServer({
      service: 'saga',
      ...grpcSettings(config),
      logger,
      metrics,
      handlers: createGrpcHandlers(sagas.cancel, sagas.refunds),
    }),
  )
  const deadLetters = open(createDeadLetters({ config, metrics }))
  const console = createConsole({
    client,
    view: sagas.view,
    purchases: purchaseService,
    orders: open(connectGrpc('order', config.GRPC_ADDRESS, { metrics })),
    payments: open(connectGrpc('payment', config.GRPC_ADDRESS, { metrics })),
    products: open(connectGrpc('product', config.GRPC_ADDRESS, { metrics })),
    deadLetters,
    temporalUiUrl: config.TEMPORAL_UI_URL,
  })
  const operatorSessions = createOperatorSessions(config)
  const http = open(
    await startHttpServer({
      ...httpSettings(config),
      logger,
      metrics,
      routes: { ...operatorRoutes, ...refundSagaRoutes, ...consoleRoutes },
      handlers: createHandlers(sagas, console),
      authenticateOperator: createOperatorAuthentication(config, operatorSessions),
      operatorSessions,
      streams: {
        max: config.CONSOLE_STREAMS_MAX,
        // So that one operator cannot take the streams of all others.
        perClient: Math.ceil(config.CONSOLE_STREAMS_MAX / 2),
        deadlineMs: streamDeadlineMs,
      },
      pages: [createOperatorDocs()],
      health: {
        temporal: temporal.isReachable,
        worker: worker.running,
        replies: replies.joined,
        purchases: purchases.joined,
      },
    }),
  )
  return resources.running({ port: http.port, grpcPort: grpc.port })
}

if (import.meta.main) {
  await run('orchestrator', readConfig, (config, logger) => {
    installTemporal(logger, config.TEMPORAL_METRICS_ADDRESS)
    return start(config, logger)
  })
}
