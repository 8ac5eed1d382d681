import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import type { PurchaseEnded } from '../../../shared/contracts/events.ts'
import { purchaseWorkflowId } from '../../../shared/contracts/ids.ts'
import type { purchase } from '../../../workflows/index.ts'

/** What no saga ends as by itself: it returns, whatever happens to its purchase. */
const brokenStates = new Set(['TERMINATED', 'FAILED', 'TIMED_OUT', 'CANCELLED'])

export const isBroken = (status: string): boolean => brokenStates.has(status)

/** The state of a purchase's workflow in Temporal's words; MISSING when Temporal does not know it. */
export async function statusOf(client: Client, purchaseId: string): Promise<string> {
  try {
    const found = await client.workflow.getHandle(purchaseWorkflowId(purchaseId)).describe()
    return found.status.name
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'MISSING'
    throw error
  }
}

/**
 * How a purchase ended, once Temporal has stored that. Throws WorkflowFailedError when its saga was ended from
 * outside.
 */
export function resultOf(client: Client, purchaseId: string): Promise<PurchaseEnded> {
  return client.workflow.getHandle<typeof purchase>(purchaseWorkflowId(purchaseId)).result()
}
