import type { WorkflowStartOptions } from '@temporalio/client'
import type { PurchaseAccepted, PurchaseEnded } from '../../../shared/contracts/events.ts'
import { purchaseWorkflowId } from '../../../shared/contracts/ids.ts'
import { taskQueue } from '../../../shared/runtime/temporal.ts'
import type { finishPurchase, purchase } from '../../../workflows/index.ts'
import { visibleEnd, visibleStart } from './visibility.ts'

/** The limits that a saga starts with. It keeps them when the configuration changes later. */
export type SagaSettings = Parameters<typeof purchase>[1]

/** One purchase id means one workflow, for ever: a second start is the first one. */
export function sagaStart(workflowId: string) {
  return {
    workflowId,
    taskQueue,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
  } satisfies Omit<WorkflowStartOptions, 'args'>
}

/** For a run that takes the place of one that was ended from outside. */
export const afterBroken = { workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY' } as const

/** The saga of an accepted purchase. */
export function purchaseStart(
  accepted: PurchaseAccepted,
  settings: SagaSettings,
  namespace: string,
) {
  return {
    ...sagaStart(purchaseWorkflowId(accepted.purchase_id)),
    args: [accepted, settings] satisfies Parameters<typeof purchase>,
    ...visibleStart(accepted, namespace),
  } satisfies WorkflowStartOptions<typeof purchase>
}

/** A workflow that only announces an end that is decided already. */
export function finishStart(ended: PurchaseEnded) {
  return {
    ...sagaStart(purchaseWorkflowId(ended.purchase_id)),
    args: [ended] satisfies Parameters<typeof finishPurchase>,
    ...visibleEnd(ended),
  } satisfies WorkflowStartOptions<typeof finishPurchase>
}
