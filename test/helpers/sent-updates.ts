import type { Client } from '@temporalio/client'
import { waitFor } from '../../shared/runtime/wait-for.ts'

/** Waits until Temporal has an Update of a workflow, which may not have received it yet. */
export async function updateIsSent(
  { workflow: { workflowService, options } }: Client,
  workflowId: string,
  updateId: string,
): Promise<void> {
  await waitFor('the Update to be sent', async () => {
    await workflowService.pollWorkflowExecutionUpdate({
      namespace: options.namespace,
      updateRef: { workflowExecution: { workflowId }, updateId },
      // Without a stage to wait for it answers at once, or fails when there is no such Update.
      waitPolicy: {},
    })
    return true
  })
}
