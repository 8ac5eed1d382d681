import { startHttpServer } from '../../shared/http.ts'
import { connectKafka } from '../../shared/kafka.ts'
import { type Running, run } from '../../shared/lifecycle.ts'
import type { Logger } from '../../shared/logger.ts'
import { sendEvent } from '../../shared/messages.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { consumeEvents } from '../../shared/subscriber.ts'
import { startSweep } from '../../shared/sweep.ts'
import { connectTemporal, logTemporalWith } from '../../shared/temporal.ts'
import { type Config, readConfig } from './config.ts'
import { createEventHandlers, refusePoison } from './events.ts'
import { createOrchestratorMetrics } from './metrics.ts'
import { consumeReplies } from './replies.ts'
import { createReplyWaiters } from './reply-waiters.ts'
import { createSagaGate } from './saga-gate.ts'
import { createSagas } from './sagas.ts'
import { startWorker } from './worker.ts'

const gateSweepMs = 10_000

export async function start(config: Config, logger: Logger): Promise<Running> {
  await using starting = new AsyncDisposableStack()
  const metrics = createMetrics('orchestrator')
  const gate = createSagaGate(config.MAX_UNFINISHED_SAGAS)
  const { lateReplies } = createOrchestratorMetrics(metrics, gate)
  const temporal = starting.adopt(await connectTemporal(config), (open) => open.close())
  const kafka = starting.adopt(
    await connectKafka('orchestrator', config, { logger, metrics }),
    (open) => open.close(),
  )
  const { client } = temporal
  const sagas = createSagas({
    client,
    gate,
    settings: {
      stepTimeoutMs: config.STEP_TIMEOUT_MS,
      stepAttempts: config.STEP_ATTEMPTS,
      replyWaitMs: config.REPLY_WAIT_MS,
    },
    announce: (ended) => sendEvent(kafka.publish, 'purchaseEnded', ended),
    logger,
  })
  const waiters = createReplyWaiters()
  // Before the worker, so that it closes after it: steps that wait still get their replies.
  const replies = starting.adopt(
    await consumeReplies({ kafka, client, waiters, lateReplies, logger }),
    (open) => open.close(),
  )
  const activityDeps = {
    publish: kafka.publish,
    replies: { wait: waiters.wait, comeHere: (id: string) => replies.reads('replies', id) },
    onEnd: gate.leave,
  }
  const worker = starting.adopt(
    await startWorker(temporal, activityDeps, config.MAX_UNFINISHED_SAGAS),
    (open) => open.close(),
  )
  const purchases = starting.adopt(
    await consumeEvents(kafka, {
      group: 'orchestrator-purchases',
      handlers: createEventHandlers(sagas),
      onPoison: (message) => refusePoison(sagas, message),
    }),
    (open) => open.close(),
  )
  const sweep = startSweep({ intervalMs: gateSweepMs, run: gate.letParkedLeave, logger })
  starting.defer(() => sweep.close())
  const http = await startHttpServer({
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    logger,
    metrics,
    routes: {},
    handlers: {},
    health: {
      temporal: temporal.answers,
      worker: worker.running,
      replies: replies.joined,
      purchases: purchases.joined,
    },
  })
  starting.defer(() => http.close())
  const started = starting.move()
  return { port: http.port, close: () => started.disposeAsync() }
}

if (import.meta.main) {
  await run('orchestrator', readConfig, (config, logger) => {
    logTemporalWith(logger)
    return start(config, logger)
  })
}
