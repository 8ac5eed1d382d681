import { MAX, NIL, v7 as uuidv7 } from 'uuid'

/** Before every id that `newId` makes, and after every one. */
export const nilId: string = NIL
export const maxId: string = MAX

/** A new time-ordered id (UUIDv7), so that primary keys are appended to their index and cursors can page by id. */
export function newId(): string {
  return uuidv7()
}

/** When an id of `newId` was made, in ms since 1970, by the clock of its maker. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.replace('-', '').slice(0, 12), 16)
}

/** The beginning of the ids that `newId` makes from this time on, in ms since 1970: all earlier ones sort before it. */
export function oldestIdAt(ms: number): string {
  const hex = Math.max(ms, 0).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}

/** The first id that `newId` could make at this time, in ms since 1970. */
export function firstIdAt(ms: number): string {
  return `${oldestIdAt(ms)}-0000-0000-000000000000`
}

/** The workflow id of a purchase, as the Temporal Web UI lists it. No other code builds one. */
export function purchaseWorkflowId(purchaseId: string): string {
  return `purchase-${purchaseId}`
}

/** The purchase of a workflow id that `purchaseWorkflowId` made. */
export function purchaseIdOf(workflowId: string): string {
  return workflowId.replace(/^purchase-/, '')
}

/** The workflow id of a refund. No other code builds one. */
export function refundWorkflowId(refundId: string): string {
  return `refund-${refundId}`
}

/**
 * The idempotency key of one step of one saga, named by its purchase or refund: the same on every retry. `step` is
 * kebab-case.
 */
export function commandId(id: string, step: string): string {
  return `${id}/${step}`
}

/**
 * The W3C trace context of a purchase whose trace is not kept, which its flags say. Its trace id is the purchase id
 * without dashes. The context of a trace that is kept replaces it.
 */
export function traceparent(purchaseId: string): string {
  const traceId = purchaseId.replaceAll('-', '')
  return `00-${traceId}-${traceId.slice(16)}-00`
}
