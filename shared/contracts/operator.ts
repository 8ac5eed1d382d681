import { z } from 'zod'
import { TerminalStatus } from './events.ts'
import { IdParams, listOf } from './list.ts'
import type { Routes } from './route.ts'
import { refundStepStates, undoStates } from './saga.ts'
import { commandNames, commandSteps, isUndo, refundSteps } from './steps.ts'
import { text } from './text.ts'

/** What the Temporal search attribute says. A purchase that completed under older code keeps `PROCESSING`. */
const SagaStatus = z.enum(['PROCESSING', 'NEEDS_ATTENTION', ...TerminalStatus.options])
/** As Temporal calls the state of a run. */
const RunState = z.enum(['RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'])
const word = z.string().regex(/^[\w-]{1,64}$/, 'must be a word')

export const SagasQuery = z.strictObject({
  status: SagaStatus.optional(),
  state: RunState.optional(),
  /** The step that did not happen. */
  step: word.optional(),
  reason: word.optional(),
  customer_id: z.uuid().toLowerCase().optional(),
  started_from: z.iso.datetime().optional(),
  started_to: z.iso.datetime().optional(),
  /** Begun at least this long ago. */
  older_than_seconds: z.coerce.number().int().positive().max(100_000_000).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z
    .string()
    .max(2_000)
    .regex(/^[\w-]+$/, 'must be a cursor that a list returned')
    .optional(),
})
export type SagasQuery = z.infer<typeof SagasQuery>

export const SagaSummary = z.object({
  purchase_id: z.string(),
  /** Null when there is no saga. Then `state` is QUEUED before it may start, and otherwise MISSING. */
  run_id: z.string().nullable(),
  state: z.string(),
  status: z.string().nullable(),
  failed_step: z.string().nullable(),
  reason: z.string().nullable(),
  started_at: z.iso.datetime().nullable(),
  closed_at: z.iso.datetime().nullable(),
})
export type SagaSummary = z.infer<typeof SagaSummary>

export const Saga = SagaSummary.extend({
  /** The step that was begun last. Null before the first, and when no worker answers. */
  step: z.string().nullable(),
  cancel_wanted: z.boolean(),
  undos: z.array(z.object({ step: z.string(), state: z.enum(undoStates) })),
  /** What it waits for now. */
  pending: z.array(
    z.object({
      activity_id: z.string(),
      state: z.string(),
      attempt: z.int(),
      last_failure: z.string().nullable(),
      next_attempt_at: z.iso.datetime().nullable(),
    }),
  ),
})
export type Saga = z.infer<typeof Saga>

/** The saga of one refund. */
export const RefundSaga = z.object({
  refund_id: z.string(),
  purchase_id: z.string(),
  run_id: z.string(),
  state: z.string(),
  /** What the search attribute says: PROCESSING, NEEDS_ATTENTION or how it ended. */
  status: z.string().nullable(),
  started_at: z.iso.datetime().nullable(),
  closed_at: z.iso.datetime().nullable(),
  /** Those that were begun, in order. Empty when no worker answers. */
  steps: z.array(z.object({ step: z.string(), state: z.enum(refundStepStates) })),
  pending: Saga.shape.pending,
})
export type RefundSaga = z.infer<typeof RefundSaga>

const undoSteps = commandNames.filter(isUndo).map((name) => commandSteps[name].step)
const Step = z.enum(undoSteps).optional()
const note = text(1_000, { min: 3, lines: 'many' })

const Acted = z.object({ action_id: z.string() })

export const operatorRoutes = {
  listSagas: {
    method: 'get',
    path: '/sagas',
    summary: 'Sagas by status, state, customer, step, reason and time',
    auth: 'operator',
    query: SagasQuery,
    status: 200,
    response: listOf(SagaSummary),
  },
  getSaga: {
    method: 'get',
    path: '/sagas/:id',
    summary: 'One saga: its undos, what it waits for, and why that fails',
    auth: 'operator',
    params: IdParams,
    status: 200,
    response: Saga,
  },
  retrySaga: {
    method: 'post',
    path: '/sagas/:id/retry',
    summary: 'Retry stuck undos now; restart a saga that was ended from outside or is missing',
    auth: 'operator',
    params: IdParams,
    body: z.strictObject({ step: Step, note: note.optional() }),
    status: 202,
    location: '/sagas/:id',
    response: Acted,
  },
  resolveSaga: {
    method: 'post',
    path: '/sagas/:id/resolve',
    summary: 'Give what is stuck up: it was done by hand, as the note says',
    auth: 'operator',
    params: IdParams,
    body: z.strictObject({ step: Step, note }),
    status: 202,
    location: '/sagas/:id',
    response: Acted,
  },
  cancelSaga: {
    method: 'post',
    path: '/sagas/:id/cancel',
    summary: 'Undo a purchase that is not paid for yet, of any customer',
    auth: 'operator',
    params: IdParams,
    body: z.strictObject({ note }),
    status: 202,
    location: '/sagas/:id',
    response: Acted.extend({ status: z.string() }),
  },
} as const satisfies Routes

const { returnMoney, returnStock } = refundSteps
/** Those that a person can do by hand. */
const RefundStep = z.enum([returnMoney.step, returnStock.step]).optional()

export const refundSagaRoutes = {
  getRefundSaga: {
    method: 'get',
    path: '/refund-sagas/:id',
    summary: 'The saga of a refund: its steps, what it waits for, and why that fails',
    auth: 'operator',
    params: IdParams,
    status: 200,
    response: RefundSaga,
  },
  retryRefund: {
    method: 'post',
    path: '/refund-sagas/:id/retry',
    summary: 'Retry the stuck step of a refund now',
    auth: 'operator',
    params: IdParams,
    body: z.strictObject({ step: word.optional(), note: note.optional() }),
    status: 202,
    location: '/refund-sagas/:id',
    response: Acted,
    errors: ['conflict'],
  },
  resolveRefund: {
    method: 'post',
    path: '/refund-sagas/:id/resolve',
    summary: 'Leave the stuck step of a refund out: it was done by hand, as the note says',
    auth: 'operator',
    params: IdParams,
    body: z.strictObject({ step: RefundStep, note }),
    status: 202,
    location: '/refund-sagas/:id',
    response: Acted,
    errors: ['conflict'],
  },
} as const satisfies Routes
