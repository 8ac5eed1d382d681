import type { Client } from '@temporalio/client'
import type { Counter } from 'prom-client'
import type { OperatorActed } from '../../../shared/contracts/events.ts'
import { purchaseWorkflowId } from '../../../shared/contracts/ids.ts'
import type { Logger } from '../../../shared/runtime/logger.ts'
import type { PurchaseRows } from './purchase-rows.ts'
import type { Starts } from './start.ts'

type Deps = {
  client: Client
  rows: Pick<PurchaseRows, 'stateOf' | 'acceptedOf'>
  starts: Pick<Starts, 'start' | 'startAs'>
  note: (acted: OperatorActed) => Promise<void>
  restarted: Counter
  logger: Logger
}

/**
 * Makes `restart`: starts the saga of a purchase that Temporal does not know, because its workflow was deleted or the
 * database of Temporal was lost. False when there is no such purchase either. `atOnce`: does not wait for room.
 *
 * Starting again is harmless in every state:
 *   - no step taken: it is an ordinary start.
 *   - some steps taken: the inboxes answer them once more, and the saga continues after them.
 *   - some undone: the first undone do is answered `undone`, and the saga runs every undo, most of them once more.
 *   - ended, as its row says: no step is taken. A workflow that only announces that end takes the saga's place.
 *   - a cancel request on its row: the saga receives it before its first step, and runs every undo.
 * Throws AppError('unavailable') without the purchase service or a worker.
 */
export function createRestart({ client, rows, starts, note, restarted, logger }: Deps) {
  return async (purchaseId: string, { atOnce = false } = {}): Promise<boolean> => {
    const row = await rows.stateOf(purchaseId)
    if (!row) return false
    const accepted = await rows.acceptedOf(purchaseId)
    if (atOnce) await starts.startAs(accepted, row)
    else await starts.start(accepted, { known: row })
    const { runId } = await client.workflow.getHandle(purchaseWorkflowId(purchaseId)).describe()
    logger.warn(
      { purchase_id: purchaseId, status: row.status, new_run_id: runId },
      'saga restarted',
    )
    restarted.inc({ cause: 'missing' })
    await note({
      action_id: `${runId}/restart`,
      purchase_id: purchaseId,
      operator: 'sweep',
      action: 'reset',
      step: null,
      note: `Temporal had no saga; the purchase was ${row.status}`,
      at: new Date().toISOString(),
    })
    return true
  }
}

export type Restart = ReturnType<typeof createRestart>
