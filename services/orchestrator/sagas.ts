import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowStartOptions,
} from '@temporalio/client'
import type { EventBody, PurchaseEnded } from '../../shared/contracts/events.ts'
import { customerId, purchaseStatus } from '../../shared/contracts/search-attributes.ts'
import { purchaseWorkflowId } from '../../shared/ids.ts'
import type { Logger } from '../../shared/logger.ts'
import { taskQueue } from '../../shared/temporal.ts'
import type { purchase, refusePurchase } from '../../workflows/index.ts'
import type { SagaGate } from './saga-gate.ts'

type Deps = {
  client: Client
  gate: SagaGate
  settings: Parameters<typeof purchase>[1]
  announce: (ended: PurchaseEnded) => Promise<void>
  logger: Logger
}

/** With so few under way, a saga begins without a round trip through the server's queue. */
const eagerSagas = 8

/** One purchase id means one workflow, for ever: a second start is the first one. */
function once(purchaseId: string) {
  return {
    workflowId: purchaseWorkflowId(purchaseId),
    taskQueue,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
  } satisfies Omit<WorkflowStartOptions, 'args'>
}

/** What the orchestrator does with sagas: start them, refuse them, say again how they ended. */
export function createSagas({ client, gate, settings, announce, logger }: Deps) {
  async function unlessStarted(start: Promise<unknown>): Promise<boolean> {
    try {
      await start
      return true
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false
      throw error
    }
  }

  async function statusOf(purchaseId: string): Promise<string> {
    try {
      const found = await client.workflow.getHandle(purchaseWorkflowId(purchaseId)).describe()
      return found.status.name
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'NOT_FOUND'
      throw error
    }
  }

  return {
    /** Starts a purchase's saga, when there is room for one more. A repeated event does nothing. */
    async start(accepted: EventBody<'purchaseAccepted'>): Promise<void> {
      const { purchase_id, customer_id } = accepted
      await gate.enter(purchase_id)
      try {
        const started = await unlessStarted(
          client.workflow.start<typeof purchase>('purchase', {
            ...once(purchase_id),
            args: [accepted, settings],
            // Eager tasks pass by those that wait in the queue: when all is busy, no saga would come to its end.
            requestEagerStart: gate.size <= eagerSagas,
            typedSearchAttributes: [
              { key: purchaseStatus, value: 'PROCESSING' },
              { key: customerId, value: customer_id },
            ],
            staticSummary: `${accepted.lines.length} lines, ${accepted.amount} ${accepted.currency_code}`,
          }),
        )
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
          ...once(purchaseId),
          args: [purchaseId],
        }),
      )
    },

    /** Says again how a purchase ended, for a participant that did not hear it. */
    async announceAgain(purchaseId: string): Promise<void> {
      const status = await statusOf(purchaseId)
      if (status === 'RUNNING') return
      if (status !== 'COMPLETED') {
        logger.error({ purchase_id: purchaseId, status }, 'unsettled purchase has no saga result')
        return
      }
      const handle = client.workflow.getHandle<typeof purchase>(purchaseWorkflowId(purchaseId))
      await announce(await handle.result())
      logger.info({ purchase_id: purchaseId }, 'end of purchase announced again')
    },
  }
}

export type Sagas = ReturnType<typeof createSagas>
