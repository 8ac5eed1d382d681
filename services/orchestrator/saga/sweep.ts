import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import { LRUCache } from 'lru-cache'
import type { Gauge } from 'prom-client'
import { purchaseIdOf } from '../../../shared/contracts/ids.ts'
import type { Logger } from '../../../shared/runtime/logger.ts'
import type { Attention } from './attention.ts'
import type { PurchaseRows } from './purchase-rows.ts'
import type { Recovery } from './recovery.ts'
import { ofPurchases } from './visibility.ts'

type Deps = {
  client: Client
  rows: Pick<PurchaseRows, 'statesOf'>
  recovery: Recovery
  attention: Attention
  /** A saga that runs for longer is shown to an operator. */
  overdueMs: number
  needAttention: Gauge
  stalled: Gauge
  logger: Logger
}

const brokenQuery = `ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut', 'Canceled') AND ${ofPurchases}`
const attentionQuery = `ExecutionStatus = 'Running' AND PurchaseStatus = 'NEEDS_ATTENTION'`
/** An evicted entry is checked once more, which changes nothing. */
const maxRemembered = 10_000
/** A saga returns a moment after the end that it announces; one that continues from an old database undoes later. */
const outdatedAfterMs = 30_000

/** Looks after the sagas that Temporal knows: those that were ended from outside, are outdated, or do not end. */
export function createSagaSweep({ client, rows, recovery, attention, overdueMs, ...deps }: Deps) {
  const { needAttention, stalled, logger } = deps
  /** Runs that need nothing more: an index entry of a closed run stays for a month. */
  const settled = new LRUCache<string, true>({ max: maxRemembered })

  async function recoverBroken(): Promise<void> {
    for await (const { workflowId, runId } of client.workflow.list({ query: brokenQuery })) {
      if (settled.has(runId)) continue
      const purchaseId = purchaseIdOf(workflowId)
      try {
        if (await recovery.recover(purchaseId)) settled.set(runId, true)
      } catch (err) {
        if (err instanceof WorkflowNotFoundError) settled.set(runId, true)
        else logger.error({ err, purchase_id: purchaseId }, 'saga could not be restarted')
      }
    }
  }

  const runningSince = (ms: number) =>
    `ExecutionStatus = 'Running' AND ${ofPurchases} AND StartTime < '${new Date(Date.now() - ms).toISOString()}'`

  /**
   * A saga that runs although its purchase has ended continues from an older database of Temporal. It is terminated
   * before it can undo the purchase; a workflow that announces the outcome on the row takes its place.
   */
  async function endOutdated(): Promise<void> {
    const running = await Array.fromAsync(
      client.workflow.list({ query: runningSince(outdatedAfterMs) }),
    )
    if (running.length === 0) return
    const states = await rows.statesOf(running.map(({ workflowId }) => purchaseIdOf(workflowId)))
    for (const { workflowId, runId } of running) {
      const state = states.get(purchaseIdOf(workflowId))
      if (!state?.ended || Date.now() - state.updatedAt < outdatedAfterMs) continue
      const { purchaseId, status } = state
      logger.error({ purchase_id: purchaseId, status }, 'outdated saga: its purchase has ended')
      await client.workflow
        .getHandle(workflowId, runId)
        .terminate(`the purchase has ended ${status}`)
        .catch((error: unknown) => {
          if (!(error instanceof WorkflowNotFoundError)) throw error
        })
      await recovery.recover(purchaseId)
    }
  }

  async function flagOverdue(): Promise<void> {
    const query = `${runningSince(overdueMs)} AND PurchaseStatus != 'NEEDS_ATTENTION'`
    for await (const { workflowId } of client.workflow.list({ query })) {
      await attention.flag(purchaseIdOf(workflowId), 'saga_overdue')
    }
  }

  async function countOpen(): Promise<void> {
    needAttention.set((await client.workflow.count(attentionQuery)).count)
    stalled.set((await client.workflow.count(runningSince(overdueMs))).count)
  }

  return async (): Promise<void> => {
    await countOpen()
    await recoverBroken()
    await flagOverdue()
    await endOutdated()
  }
}
