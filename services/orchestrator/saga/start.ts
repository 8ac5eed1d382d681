import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client'
import type { PurchaseAccepted } from '../../../shared/contracts/events.ts'
import { purchaseWorkflowId } from '../../../shared/contracts/ids.ts'
import { refusedEnd } from '../../../shared/contracts/saga.ts'
import type { Logger } from '../../../shared/runtime/logger.ts'
import type { finishPurchase, purchase, refusePurchase } from '../../../workflows/index.ts'
import type { SagaGate } from '../worker/admission.ts'
import type { Cancel } from './cancel.ts'
import type { DelayedStarts } from './delayed-start.ts'
import type { PurchaseState } from './purchase-rows.ts'
import { finishStart, purchaseStart, type SagaSettings, sagaStart } from './start-options.ts'
import { visibleEnd } from './visibility.ts'

type Deps = {
  client: Client
  gate: Pick<SagaGate, 'enter' | 'leave'>
  settings: SagaSettings
  delayed: Pick<DelayedStarts, 'rowOf'>
  cancel: Cancel
  logger: Logger
}

/** Starts the sagas of purchases, each once. */
export function createStarts({ client, gate, settings, delayed, cancel, logger }: Deps) {
  async function unlessStarted(start: Promise<unknown>): Promise<boolean> {
    try {
      await start
      return true
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false
      throw error
    }
  }

  /**
   * Starts the saga that a purchase needs as its row stands: none that could change an end, and one that is cancelled
   * receives the request before its first step. False when nothing is left to do, or the saga exists.
   */
  async function startAs(accepted: PurchaseAccepted, row?: PurchaseState): Promise<boolean> {
    if (row?.ended) {
      const options = finishStart(row.ended)
      await unlessStarted(client.workflow.start<typeof finishPurchase>('finishPurchase', options))
      return false
    }
    if (row?.cancelRequested) return (await cancel(accepted)) === 'CANCELLING'
    const options = {
      ...purchaseStart(accepted, settings, client.options.namespace),
      requestEagerStart: true,
    }
    return unlessStarted(client.workflow.start<typeof purchase>('purchase', options))
  }

  return {
    startAs,

    /**
     * Starts a purchase's saga, when there is room for one more. A repeated event does nothing. `known`: its row, when
     * the caller has just read that. `releasedAt`: see `releasedAtHeader`.
     */
    async start(
      accepted: PurchaseAccepted,
      { known, releasedAt }: { known?: PurchaseState; releasedAt?: number | undefined } = {},
    ): Promise<void> {
      const { purchase_id } = accepted
      await gate.enter(purchase_id, accepted.customer_id)
      try {
        const row = known ?? (await delayed.rowOf(purchase_id, releasedAt))
        const started = await startAs(accepted, row)
        if (!started) gate.leave(purchase_id)
        logger.info({ purchase_id, started }, 'purchase saga')
      } catch (error) {
        gate.leave(purchase_id)
        throw error
      }
    },

    /** Ends a purchase whose event cannot be read as REJECTED, unless its saga exists. */
    async refuse(purchaseId: string): Promise<void> {
      await unlessStarted(
        client.workflow.start<typeof refusePurchase>('refusePurchase', {
          ...sagaStart(purchaseWorkflowId(purchaseId)),
          ...visibleEnd(refusedEnd(purchaseId)),
          args: [purchaseId],
        }),
      )
    },
  }
}

export type Starts = ReturnType<typeof createStarts>
