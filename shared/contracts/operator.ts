import { z } from 'zod'
import type { Routes } from '../route.ts'
import { commands } from './commands.ts'
import { TerminalStatus } from './events.ts'
import { IdParams, listOf } from './list.ts'

/** What the Temporal search attribute says: a purchase that completed keeps `PROCESSING`. */
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
  run_id: z.string(),
  state: z.string(),
  status: z.string().nullable(),
  failed_step: z.string().nullable(),
  reason: z.string().nullable(),
  started_at: z.iso.datetime(),
  closed_at: z.iso.datetime().nullable(),
})
export type SagaSummary = z.infer<typeof SagaSummary>

export const Saga = SagaSummary.extend({
  /** Null when no worker could say. */
  step: z.string().nullable(),
  cancel_wanted: z.boolean(),
  undos: z.array(z.object({ step: z.string(), state: z.string() })),
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

const undoSteps = Object.values(commands).flatMap((command) =>
  'undoes' in command ? [command.step] : [],
)
const Step = z.enum(undoSteps as [string, ...string[]]).optional()
const note = z.string().trim().min(3).max(1_000)

const Acted = z.object({ action_id: z.string() })

export const operatorRoutes = {
  listSagas: {
    method: 'get',
    path: '/sagas',
    summary: 'Sagas by status, state, step, reason and age',
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
    summary: 'Try what is stuck again now; a saga that was ended from outside is taken up again',
    auth: 'operator',
    params: IdParams,
    body: z.strictObject({ step: Step, note: note.optional() }),
    status: 202,
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
    response: Acted,
  },
  cancelSaga: {
    method: 'post',
    path: '/sagas/:id/cancel',
    summary: 'Undo a purchase that is not paid for yet, whoever bought it',
    auth: 'operator',
    params: IdParams,
    body: z.strictObject({ note }),
    status: 202,
    response: Acted.extend({ status: z.string() }),
  },
} as const satisfies Routes
