import { z } from 'zod'
import { ResolutionNote, resolutions } from './dead-letters.ts'
import { IdParams, listOf, TimeRange } from './list.ts'
import type { Routes } from './route.ts'
import { SagaDetails } from './saga-details.ts'
import { topics } from './topics.ts'

/** A time that may be missing. */
const Time = z.iso.datetime().nullable()

export const OperatorSession = z.object({
  operator: z.string(),
  /** Null: the request had a bearer token, which does not expire. */
  expires_at: Time,
  /** Where the Temporal Web UI lists all sagas. */
  temporal_url: z.string(),
})
export type OperatorSession = z.infer<typeof OperatorSession>

export const AttentionItem = z.object({
  purchase_id: z.string(),
  customer_id: z.string(),
  status: z.string(),
  /** Null for purchases that were flagged before the reason was kept. */
  reason: z.string().nullable(),
  since: z.iso.datetime(),
  amount: z.int(),
  currency_code: z.string(),
})

/** Parts that do not answer are null, and `unavailable` names the services. */
export const Overview = z.object({
  at: z.iso.datetime(),
  /** Purchases that have not ended. `queued` wait for their turn. */
  open: z
    .object({
      queued: z.int(),
      accepted: z.int(),
      processing: z.int(),
      cancelling: z.int(),
      needs_attention: z.int(),
      oldest_at: Time,
    })
    .nullable(),
  /** Sagas a minute, in the last five minutes: how many began, and how many ended in each way. */
  per_minute: z
    .object({
      started: z.number(),
      completed: z.number(),
      rejected: z.number(),
      cancelled: z.number(),
      resolved: z.number(),
    })
    .nullable(),
  /** Those that wait longest first, at most 20. */
  attention: z.array(AttentionItem),
  unavailable: z.array(z.string()),
})
export type Overview = z.infer<typeof Overview>

export const DeadLetterSummary = z.object({
  id: z.string(),
  state: z.enum(['open', ...resolutions]),
  note: z.string().nullable(),
  /** Who replayed or discarded it; null when that is not known. */
  operator: z.string().nullable(),
  error: z.string(),
  group: z.string(),
  topic: z.string(),
  partition: z.int(),
  offset: z.string(),
  time: z.string(),
  purchase_id: z.string().nullable(),
})
export type DeadLetterSummary = z.infer<typeof DeadLetterSummary>

export const DeadLetterDetails = DeadLetterSummary.extend({
  key: z.string().nullable(),
  /** Null when the message had none or was too large for a dead letter. */
  value: z.string().nullable(),
  value_encoding: z.enum(['utf8', 'base64']),
  /** Bytes of the value; `value` may be cut. */
  value_bytes: z.int(),
  headers: z.record(z.string(), z.string()),
})
export type DeadLetterDetails = z.infer<typeof DeadLetterDetails>

const deadLetterId = /^dead-letters\/\d{1,5}\/\d{1,19}$/
const DeadLetterParams = z.strictObject({
  partition: z.string().regex(/^\d{1,5}$/, 'must be the number of a partition'),
  offset: z.string().regex(/^\d{1,19}$/, 'must be an offset'),
})
export const DeadLettersQuery = z.strictObject({
  state: z.enum(['open', ...resolutions, 'all']).default('open'),
  topic: z.enum(topics).optional(),
  purchase_id: z.uuid().toLowerCase().optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().regex(deadLetterId, 'must be a cursor that a list returned').optional(),
  ...TimeRange,
})
export type DeadLettersQuery = z.infer<typeof DeadLettersQuery>

/** The moment of the last reading that the client has, ms since 1970. */
const LastReading = z.object({
  'last-event-id': z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
})

export const consoleRoutes = {
  beginSession: {
    method: 'post',
    path: '/console/session',
    summary: 'Exchange an operator token for a session cookie that scripts cannot read',
    auth: 'operator',
    operatorSession: 'begin',
    status: 200,
    response: OperatorSession,
  },
  getSession: {
    method: 'get',
    path: '/console/session',
    summary: 'Who is signed in, until when',
    auth: 'operator',
    status: 200,
    response: OperatorSession,
  },
  endSession: {
    method: 'post',
    path: '/console/session/end',
    summary: 'Remove the session cookie of this browser',
    auth: 'operator',
    operatorSession: 'end',
    status: 204,
    response: z.void(),
  },
  getOverview: {
    method: 'get',
    path: '/console/overview',
    summary: 'Purchases by state, rates, and what needs attention',
    auth: 'operator',
    status: 200,
    response: Overview,
  },
  watchOverview: {
    method: 'get',
    path: '/console/overview/events',
    summary: 'Server-sent events: an `overview` when something has changed',
    auth: 'operator',
    stream: true,
    status: 200,
    response: Overview,
  },
  getSagaDetails: {
    method: 'get',
    path: '/sagas/:id/details',
    summary: 'One saga, its timeline, and what each service stores of its purchase',
    auth: 'operator',
    params: IdParams,
    status: 200,
    response: SagaDetails,
  },
  watchSaga: {
    method: 'get',
    path: '/sagas/:id/events',
    summary: 'Server-sent events: a `saga` when its details have changed, until it has ended',
    auth: 'operator',
    params: IdParams,
    headers: LastReading,
    stream: true,
    status: 200,
    response: SagaDetails,
  },
  listDeadLetters: {
    method: 'get',
    path: '/dead-letters',
    summary: 'Messages that could not be handled, oldest first',
    auth: 'operator',
    query: DeadLettersQuery,
    status: 200,
    response: listOf(DeadLetterSummary),
  },
  getDeadLetter: {
    method: 'get',
    path: '/dead-letters/:partition/:offset',
    summary: 'One dead letter with its headers and value',
    auth: 'operator',
    params: DeadLetterParams,
    status: 200,
    response: DeadLetterDetails,
  },
  replayDeadLetter: {
    method: 'post',
    path: '/dead-letters/:partition/:offset/replay',
    summary: 'Send the message to its topic again',
    auth: 'operator',
    params: DeadLetterParams,
    body: z.strictObject({ note: ResolutionNote.optional(), again: z.boolean().default(false) }),
    status: 200,
    response: DeadLetterDetails,
    errors: ['conflict'],
  },
  discardDeadLetter: {
    method: 'post',
    path: '/dead-letters/:partition/:offset/discard',
    summary: 'Close a dead letter without sending it, with a note that says why',
    auth: 'operator',
    params: DeadLetterParams,
    body: z.strictObject({ note: ResolutionNote }),
    status: 200,
    response: DeadLetterDetails,
    errors: ['conflict'],
  },
} as const satisfies Routes
