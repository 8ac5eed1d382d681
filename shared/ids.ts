import { v7 as uuidv7 } from 'uuid'

/** A new time-ordered id (UUIDv7), so that primary keys grow to the right and cursors can page by id. */
export function newId(): string {
  return uuidv7()
}

/** When an id of `newId` was made, in ms since 1970, by the clock of its maker. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.replace('-', '').slice(0, 12), 16)
}

/** The one maker of workflow ids: what the Temporal Web UI lists. */
export function purchaseWorkflowId(purchaseId: string): string {
  return `purchase-${purchaseId}`
}

/** The purchase of a workflow id that `purchaseWorkflowId` made. */
export function purchaseIdOf(workflowId: string): string {
  return workflowId.replace(/^purchase-/, '')
}

/** The idempotency key of one step of one purchase: the same on every retry. `step` is kebab-case. */
export function commandId(purchaseId: string, step: string): string {
  return `${purchaseId}/${step}`
}

/**
 * The W3C trace context of a purchase. Its trace id is the purchase id without dashes, so every process derives
 * the same one and nothing has to carry it.
 */
export function traceparent(purchaseId: string): string {
  const traceId = purchaseId.replaceAll('-', '')
  return `00-${traceId}-${traceId.slice(16)}-01`
}
