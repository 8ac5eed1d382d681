import type { Client } from '@temporalio/client'
import type { OperatorActed, PurchaseEnded, RefundEnded } from '../../../shared/contracts/events.ts'
import type { GrpcClient } from '../../../shared/grpc/client.ts'
import type { Publish } from '../../../shared/messaging/bus.ts'
import { sendEvent } from '../../../shared/messaging/messages.ts'
import type { Logger } from '../../../shared/runtime/logger.ts'
import type { OrchestratorMetrics } from '../metrics.ts'
import type { SagaGate } from '../worker/admission.ts'
import { createAttention } from './attention.ts'
import { createCancel } from './cancel.ts'
import { createDelayedStarts } from './delayed-start.ts'
import { createOperations } from './operator.ts'
import { createAnnounceAgain, createEndings } from './outcome.ts'
import { createPendingCancels } from './pending-cancels.ts'
import { createPurchaseRows } from './purchase-rows.ts'
import { createRecovery } from './recovery.ts'
import { createRefunds } from './refunds.ts'
import { createRestart } from './restart.ts'
import { createStarts } from './start.ts'
import type { SagaSettings } from './start-options.ts'
import { createSagaSweep } from './sweep.ts'
import { createSagaView } from './view.ts'

type Deps = {
  client: Client
  purchases: Pick<GrpcClient<'purchase'>, 'GetStates' | 'GetAccepted'>
  publish: Publish
  gate: SagaGate
  settings: SagaSettings
  /** A saga that runs for longer is shown to an operator. */
  overdueMs: number
  metrics: OrchestratorMetrics
  logger: Logger
}

/** What the orchestrator does with sagas, put together. */
export function createSagas(deps: Deps) {
  const { client, publish, gate, settings, overdueMs, metrics, logger } = deps
  const { restarted, needAttention, stalled } = metrics
  const note = (acted: OperatorActed) => sendEvent(publish, 'operatorActed', acted)
  const announce = (ended: PurchaseEnded) => sendEvent(publish, 'purchaseEnded', ended)
  const attention = createAttention({
    announce: (needed) => sendEvent(publish, 'attentionNeeded', needed),
    logger,
  })
  const rows = createPurchaseRows(deps.purchases)
  const pending = createPendingCancels()
  const recovery = createRecovery({ client, rows, pending, attention, note, restarted, logger })
  const cancel = createCancel({ client, settings, recovery, pending })
  const delayed = createDelayedStarts({ rows, comingUp: gate.waiting, logger })
  const starts = createStarts({ client, gate, settings, delayed, cancel, logger })
  const restart = createRestart({ client, rows, starts, note, restarted, logger })

  return {
    refunds: createRefunds({
      client,
      settings,
      announce: (ended: RefundEnded) => sendEvent(publish, 'refundEnded', ended),
      logger,
    }),
    starts,
    cancel,
    isCancelPending: pending.has,
    announceAgain: createAnnounceAgain({ client, announce, recovery, restart, attention, logger }),
    endings: createEndings({ client, announce, leave: gate.leave, logger }),
    sweep: createSagaSweep({
      client,
      rows,
      recovery,
      attention,
      overdueMs,
      needAttention,
      stalled,
      logger,
    }),
    view: createSagaView({ client, rows }),
    operations: createOperations({
      client,
      rows,
      recovery,
      restart,
      cancel,
      pending,
      note,
      logger,
    }),
  }
}

export type Sagas = ReturnType<typeof createSagas>
