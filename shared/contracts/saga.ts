import type { OperatorActed, TerminalStatus } from './events.ts'

/*
 * What a running saga may be asked. No values with imports here: workflow code uses it.
 */

export const sagaUpdates = {
  /** By the customer, or by an operator who says so. Answers how the purchase stands then. */
  cancel: 'cancel',
  /** Tries a stuck undo at once. */
  retryUndo: 'retryUndo',
  /** Gives a stuck undo up: an operator has done by hand what it could not. */
  resolveUndo: 'resolveUndo',
} as const

/** The type of failure that a wish to cancel makes of a step that has not begun. */
export const cancelWish = 'Cancelled'

/** The activity that tells the world of the end: once it is scheduled, the end is decided. */
export const announceEndId = 'announce-end'

/** A customer's wish has one update id: asked again, it is the same wish. */
export const cancelUpdateId = 'cancel'

/** How a purchase stands when it is asked to stop: `CANCELLING` until its end is decided. */
export type Verdict = 'CANCELLING' | TerminalStatus

/** A request of an operator, as it is told to the world once the saga has taken it. */
export type SagaRequest = OperatorActed

export const sagaQuery = 'state'

export type UndoState = {
  step: string
  state: 'registered' | 'done' | 'stuck' | 'resolved'
}

export type SagaState = {
  /** The step that was taken last. */
  step: string
  status: Verdict | 'PROCESSING'
  cancel_wanted: boolean
  undos: UndoState[]
}
