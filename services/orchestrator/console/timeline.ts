import { defaultPayloadConverter } from '@temporalio/common'
import type { TimelineEntry } from '../../../shared/contracts/saga-details.ts'
import {
  type CommandName,
  commandNames,
  commandSteps,
  isUndo,
} from '../../../shared/contracts/steps.ts'
import type { History } from '../../../shared/runtime/temporal.ts'
import { timeOf } from '../saga/view.ts'

type Event = NonNullable<History['events']>[number]
type Payloads = { payloads?: unknown[] | null } | null | undefined
type Entry = Partial<Omit<TimelineEntry, 'at' | 'kind'>> & Pick<TimelineEntry, 'at' | 'kind'>

/** What the SDK's core records of an activity that ran in the worker: its steps leave no events of their own. */
type LocalActivity = {
  attempt: number
  activity_type: string
  complete_time?: Timestamp
  original_schedule_time?: Timestamp
}
type Timestamp = { seconds: number; nanos: number }

const commands = new Set<string>(commandNames)
/** What workflow code announces; it is no step. */
const toDetail = 200

/** What Temporal recorded of a saga, in the words of this shop: commands, replies, attempts, requests and states. */
export function timelineOf(events: Event[]): TimelineEntry[] {
  const scheduled = new Map<string, string>()
  const entries = events.flatMap((event): Entry[] => {
    const id = String(event.activityTaskScheduledEventAttributes ? event.eventId : '')
    const type = event.activityTaskScheduledEventAttributes?.activityType?.name
    if (id && type) scheduled.set(id, type)
    return entriesOf(event, timeOf(event.eventTime) ?? '', (of) => scheduled.get(String(of)))
  })
  // A task records the activities that ran in it when it ends, after events that came in between.
  return entries
    .map((entry) => ({ step: null, undo: false, attempt: null, detail: null, ...entry }))
    .sort((a, b) => a.at.localeCompare(b.at))
}

function entriesOf(event: Event, at: string, typeOf: (scheduledId: unknown) => string | undefined) {
  const completed = event.activityTaskCompletedEventAttributes
  const failed = event.activityTaskFailedEventAttributes
  const timedOut = event.activityTaskTimedOutEventAttributes
  const type = typeOf((completed ?? failed ?? timedOut)?.scheduledEventId)
  const from = event.activityTaskScheduledEventAttributes
  const begun = event.activityTaskStartedEventAttributes
  const update = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input
  const ended = event.workflowExecutionCompletedEventAttributes
  const marker = event.markerRecordedEventAttributes
  const attributes = event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes
  if (event.workflowExecutionStartedEventAttributes) return [{ at, kind: 'started' } as const]
  if (marker?.markerName === 'core_local_activity') return localEntries(marker)
  if (from) return ofStep(from.activityType?.name, { at, kind: 'command' })
  if (begun) return ofStep(typeOf(begun.scheduledEventId), attemptOf(at, begun))
  if (completed) return ofStep(type, { at, kind: 'reply', detail: outcomeOf(completed.result) })
  if (failed ?? timedOut) {
    const { failure } = failed ?? timedOut ?? {}
    return ofStep(type, { at, kind: 'failure', detail: cut(failure?.message) })
  }
  if (update) return [{ at, kind: 'request', detail: requestOf(update) } as const]
  if (attributes) return statusOf(at, attributes.indexedFields)
  if (ended) return [{ at, kind: 'ended', detail: statusIn(ended.result) } as const]
  const outside = endedFromOutside(event)
  return outside ? [{ at, kind: 'ended', detail: outside } as const] : []
}

/** An attempt is shown when it is not the first: what became of those before it is its last failure. */
function attemptOf(
  at: string,
  { attempt, lastFailure }: NonNullable<Event['activityTaskStartedEventAttributes']>,
): Entry | undefined {
  if ((attempt ?? 1) < 2) return undefined
  const detail = cut(lastFailure?.message)
  return { at, kind: 'failure', attempt: (attempt ?? 1) - 1, detail }
}

function ofStep(type: string | null | undefined, entry: Entry | undefined): Entry[] {
  if (!entry || !type || !commands.has(type)) return []
  const name = type as CommandName
  return [{ ...entry, step: commandSteps[name].step, undo: isUndo(name) }]
}

function localEntries(marker: NonNullable<Event['markerRecordedEventAttributes']>): Entry[] {
  const activity = decode(marker.details?.data) as LocalActivity | undefined
  if (!activity) return []
  const { activity_type: type, attempt } = activity
  const sentAt = timeOf(activity.original_schedule_time as never)
  const at = timeOf(activity.complete_time as never)
  if (!sentAt || !at) return []
  // The clock of a worker that takes a task again may stand later than that of the answer.
  const [first = at] = [sentAt, at].sort()
  const sent: Entry = { at: first, kind: 'command' }
  const answer: Entry = marker.failure
    ? { at, kind: 'failure', attempt, detail: cut(marker.failure.message) }
    : { at, kind: 'reply', detail: outcomeOf(marker.details?.result) }
  return [...ofStep(type, sent), ...ofStep(type, answer)]
}

function outcomeOf(result: Payloads): string | null {
  const reply = decode(result) as { outcome?: string; reason?: string } | undefined
  return cut([reply?.outcome, reply?.reason].filter(Boolean).join(': '))
}

function statusIn(result: Payloads): string | null {
  return cut((decode(result) as { status?: string } | undefined)?.status)
}

/** By whom: a customer's cancel has no operator. */
function requestOf({ name, args }: { name?: string | null; args?: Payloads }): string | null {
  const { operator } = (decode(args) ?? {}) as { operator?: string }
  return cut(operator === undefined ? name : `${name} by ${operator}`)
}

function statusOf(at: string, fields: Record<string, unknown> | null | undefined): Entry[] {
  const status = fields?.PurchaseStatus
  if (!status) return []
  return [{ at, kind: 'status', detail: cut(String(valueIn(status))) }]
}

function endedFromOutside(event: Event): string | undefined {
  if (event.workflowExecutionTerminatedEventAttributes) return 'terminated from outside'
  if (event.workflowExecutionTimedOutEventAttributes) return 'timed out'
  if (event.workflowExecutionFailedEventAttributes) return 'failed'
  if (event.workflowExecutionCanceledEventAttributes) return 'cancelled in Temporal'
  return undefined
}

function decode(payloads: Payloads): unknown {
  const [payload] = payloads?.payloads ?? []
  return payload ? valueIn(payload) : undefined
}

function valueIn(payload: unknown): unknown {
  try {
    return defaultPayloadConverter.fromPayload(payload as never)
  } catch {
    // Anyone who reaches Temporal can put any payload into an Update.
    return undefined
  }
}

function cut(text: string | null | undefined): string | null {
  if (!text) return null
  return text.length > toDetail ? `${text.slice(0, toDetail - 1)}…` : text
}
