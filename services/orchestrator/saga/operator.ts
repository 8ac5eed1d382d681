import { type Client, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client'
import type { OperatorActed } from '../../../shared/contracts/events.ts'
import { newId, purchaseWorkflowId } from '../../../shared/contracts/ids.ts'
import { sagaUpdates, type Verdict } from '../../../shared/contracts/saga.ts'
import { AppError } from '../../../shared/runtime/errors.ts'
import type { Logger } from '../../../shared/runtime/logger.ts'
import type { Cancel } from './cancel.ts'
import type { PendingCancels } from './pending-cancels.ts'
import type { PurchaseRows } from './purchase-rows.ts'
import type { Recovery } from './recovery.ts'
import type { Restart } from './restart.ts'
import { isBroken, statusOf } from './status.ts'

type Deps = {
  client: Client
  rows: Pick<PurchaseRows, 'stateOf' | 'acceptedOf'>
  recovery: Recovery
  restart: Restart
  cancel: Cancel
  pending: Pick<PendingCancels, 'during'>
  note: (acted: OperatorActed) => Promise<void>
  logger: Logger
}
type Request = {
  purchaseId: string
  operator: string
  step?: string | undefined
  note?: string | undefined
}

/** A step that waits for its reply may keep an Update waiting for some seconds. */
const deadlineMs = 10_000

/** The actions of operators on sagas. The saga that took an action announces it; if none runs, this service does. */
export function createOperations(deps: Deps) {
  const { client, rows, recovery, restart, cancel, pending, note, logger } = deps

  function actionOf(action: OperatorActed['action'], request: Request): OperatorActed {
    return {
      action_id: newId(),
      purchase_id: request.purchaseId,
      operator: request.operator,
      action,
      step: request.step ?? null,
      note: request.note ?? null,
      at: new Date().toISOString(),
    }
  }

  /** Asks the saga by an Update: what it has taken is never lost. */
  async function ask<T>(update: string, acted: OperatorActed): Promise<T> {
    const { action_id, purchase_id, operator, action } = acted
    try {
      const answer = await client.withDeadline(Date.now() + deadlineMs, () =>
        client.workflow
          .getHandle(purchaseWorkflowId(purchase_id))
          .executeUpdate<T, [OperatorActed]>(update, { updateId: action_id, args: [acted] }),
      )
      logger.info({ purchase_id, operator, action, action_id }, 'operator acted')
      return answer
    } catch (error) {
      throw await explain(error, purchase_id)
    }
  }

  /** Describes the state of the saga, and what to do. */
  async function explain(cause: unknown, purchaseId: string): Promise<AppError> {
    if (cause instanceof WorkflowUpdateFailedError) {
      const step = 'no such undo is stuck; GET /sagas/:id shows the state of each'
      return new AppError('conflict', step, { cause })
    }
    if (!(cause instanceof WorkflowNotFoundError)) {
      const later = 'the saga does not answer yet; look with GET /sagas/:id, then try again'
      return new AppError('unavailable', later, { cause })
    }
    const status = await statusOf(client, purchaseId)
    return new AppError('conflict', whyNot(status), { cause })
  }

  return {
    /**
     * Tries stuck undos at once; restarts a saga that was ended from outside or is missing in Temporal. Throws
     * AppError('conflict') for a purchase that is queued: the limits hold for operators too.
     */
    async retry(request: Request): Promise<{ action_id: string }> {
      const { purchaseId } = request
      const status = await statusOf(client, purchaseId)
      const acted = actionOf('retry', request)
      if (status === 'MISSING') {
        if ((await rows.stateOf(purchaseId))?.queued) throw new AppError('conflict', isQueued)
        if (!(await restart(purchaseId, { atOnce: true }))) throw noPurchase()
        await note(acted)
      } else if (isBroken(status)) {
        await recovery.recover(purchaseId, { insist: true })
        await note(acted)
      } else {
        await ask(sagaUpdates.retryUndo, acted)
      }
      return { action_id: acted.action_id }
    },

    /** Gives stuck undos up. Of a purchase that has ended, only the flag is left to take down. */
    async resolve(request: Request): Promise<{ action_id: string }> {
      const { purchaseId } = request
      const status = await statusOf(client, purchaseId)
      const acted = actionOf('resolve', request)
      if (status === 'COMPLETED') await note(acted)
      else if (status !== 'MISSING') await ask(sagaUpdates.resolveUndo, acted)
      else if (await rows.stateOf(purchaseId)) throw new AppError('conflict', whyNot(status))
      else throw noPurchase()
      return { action_id: acted.action_id }
    },

    /** Cancels a purchase in its customer's place. One that has ended stays as it is. */
    async cancel(request: Request): Promise<{ action_id: string; status: string }> {
      const { purchaseId } = request
      const acted = actionOf('cancel', request)
      const status = await statusOf(client, purchaseId)
      const row = await rows.stateOf(purchaseId)
      if (!row && status === 'MISSING') throw noPurchase()
      if (row?.ended) throw new AppError('conflict', `the purchase has ended ${row.status}`)
      const verdict =
        status === 'MISSING'
          ? await cancel(await rows.acceptedOf(purchaseId), acted)
          : await pending.during(purchaseId, () => ask<Verdict>(sagaUpdates.cancel, acted))
      return { action_id: acted.action_id, status: verdict }
    },
  }
}

export type Operations = ReturnType<typeof createOperations>

const isQueued = 'the purchase is queued; its saga starts when others have ended'
const noPurchase = () => new AppError('not_found', 'there is no purchase with this id')

function whyNot(status: string): string {
  if (status === 'RUNNING') return 'the saga has just been restarted; try again'
  if (status === 'COMPLETED') return 'the saga has ended; the purchase shows how'
  const how = status === 'MISSING' ? 'is missing in Temporal' : `was ended from outside (${status})`
  return `the saga ${how}; POST /sagas/:id/retry restarts it`
}
