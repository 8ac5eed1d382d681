import { brokenCharacters, type Lines } from './characters.ts'
import type { AnyReply } from './commands.ts'
import type { OperatorActed, PurchaseEnded, TerminalStatus } from './events.ts'

/*
 * What a running saga may be asked. No values of npm packages here: workflow code uses it.
 */

/**
 * A reply as the saga gets it, with the time at which the participant sent it, ISO 8601. `cancel_pending`: the process
 * that hands the reply over waits for a cancel Update of this saga.
 */
export type StepReply = AnyReply & { answered_at?: string; cancel_pending?: boolean }

export const sagaUpdates = {
  /** By the customer, or by a named operator. Returns the state of the purchase afterwards. */
  cancel: 'cancel',
  /** Tries a stuck undo at once. */
  retryUndo: 'retryUndo',
  /** Resolves a stuck undo: an operator has done its work by hand. */
  resolveUndo: 'resolveUndo',
} as const

/** The same of the refund saga, about the step that is stuck. */
export const refundUpdates = { retry: 'retryStep', resolve: 'resolveStep' } as const

/** The type of failure with which a cancel request ends a step that has not begun. */
export const cancelRequestedFailure = 'Cancelled'

/** The activity that announces the end: once it is scheduled, the end is decided. */
export const announceEndId = 'announce-end'

/** All cancel requests of a customer have one update id, so that a repeat is the same update. */
export const cancelUpdateId = 'cancel'

/** How a purchase stands when it is asked to stop: `CANCELLING` until its end is decided. */
export type Verdict = 'CANCELLING' | TerminalStatus

/** An operator's request, as it is published after the saga has accepted it. */
export type SagaRequest = OperatorActed

/**
 * Whether an Update carries an operator's request for this purchase. Anyone who reaches Temporal can send an Update
 * with any payload, and what the saga announces must be readable by those who consume it.
 */
export function isSagaRequest(value: unknown, purchaseId: string): value is SagaRequest {
  if (typeof value !== 'object' || value === null) return false
  const { action_id, purchase_id, operator, action, step, note, at } = value as Record<
    string,
    unknown
  >
  return (
    isText(action_id, 100) &&
    purchase_id === purchaseId &&
    isText(operator, 100) &&
    (action === 'retry' || action === 'resolve' || action === 'cancel') &&
    (step === null || isText(step, 100)) &&
    (note === null || isText(note, 2_000, 'many')) &&
    isTime(at)
  )
}

function isText(value: unknown, max: number, lines: Lines = 'one'): boolean {
  if (typeof value !== 'string' || value.length > max) return false
  return brokenCharacters(value, lines) === undefined
}

function isTime(value: unknown): boolean {
  if (typeof value !== 'string') return false
  const at = Date.parse(value)
  return !Number.isNaN(at) && new Date(at).toISOString() === value
}

export const sagaQuery = 'state'

/** How a purchase ends whose accepted event cannot be read. */
export function refusedEnd(purchaseId: string): PurchaseEnded {
  return {
    purchase_id: purchaseId,
    customer_id: null,
    status: 'REJECTED',
    reason: 'invalid',
    failed_step: null,
  }
}

/**
 * `registered` before it is needed, `not_needed` once the purchase is paid for, `running` in its first attempts,
 * `stuck` when those failed and it is retried slowly, `resolved` when an operator did its work by hand.
 */
export const undoStates = [
  'registered',
  'not_needed',
  'running',
  'done',
  'stuck',
  'resolved',
] as const

export type UndoState = { step: string; state: (typeof undoStates)[number] }

/** `refused`: for good, and nothing was returned. The others as above. */
export const refundStepStates = ['running', 'done', 'refused', 'stuck', 'resolved'] as const

export type RefundStepState = { step: string; state: (typeof refundStepStates)[number] }

/** What the refund saga answers to the query. */
export type RefundState = { steps: RefundStepState[] }

export type SagaState = {
  /** The step that was begun last; null before the first. */
  step: string | null
  status: Verdict | 'PROCESSING'
  cancel_wanted: boolean
  undos: UndoState[]
}
