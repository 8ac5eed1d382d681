// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import {
  ActivityCancellationType,
  ActivityFailure,
  type ActivityOptions,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  patched,
  proxyActivities,
  proxyLocalActivities,
  TimeoutFailure,
} from '@temporalio/workflow'
import type { Activities } from '../activities/index.ts'
import type { Reply, Request } from '../shared/contracts/commands.ts'
import { announceEndId, cancelRequestedFailure, type StepReply } from '../shared/contracts/saga.ts'
import {
  type AnyCommandName,
  anyCommandSteps,
  type DoName,
  type RefundCommandName,
  type UndoName,
} from '../shared/contracts/steps.ts'
import type { StepLog } from './step-log.ts'

type DoActivities = {
  [N in DoName]: (purchaseId: string, request: Request<N>) => Promise<Reply<N>>
}
/** One use of the activities, with the time limits that they are given. */
type Call = (activities: Activities) => Promise<StepReply>

/** Set where the purchase starts, so that a replay sees what the first run saw. */
export type StepSettings = {
  /** How long one attempt waits for its reply, ms. */
  stepTimeoutMs: number
  /** How often a step is tried before the purchase is undone. */
  stepAttempts: number
  /** Between attempts of a stuck undo, ms. Purchases that started before it was a setting have none. */
  undoPauseMs?: number
  /** How long a step first waits for its reply in the process that asks, ms; 0: not at all. */
  replyWaitMs: number
  /**
   * Whether the search attributes of a completed purchase say so. Purchases that started before this keep
   * `PROCESSING`.
   */
  showCompleted?: boolean
  /**
   * How long a workflow task may last before the next step begins in another one, ms. Purchases that started before it
   * was a setting have none.
   */
  maxTaskMs?: number
  /** Whether a saga of one task returns before its end is announced. Purchases that started before this do not. */
  announceOnceStored?: boolean
}

/** The SDK's real default is TRY_CANCEL, which would undo a step while its command may still be running. */
const cancellationType = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
const forwardPauseMs = 500
const retry = { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '10 s' } as const

/** When these have failed, after 15 to 75 s, an undo counts as stuck and goes to the slow schedule. */
const undoAttempts = 6
const defaultUndoPauseMs = 30_000

/** Between attempts of an undo that is stuck, ms. */
export function undoPauseOf({ undoPauseMs }: StepSettings): number {
  return undoPauseMs ?? defaultUndoPauseMs
}

const refusal = 'StepRejected'

function activities(
  name: AnyCommandName,
  settings: StepSettings,
  options: ActivityOptions,
): Activities {
  return proxyActivities<Activities>({
    activityId: anyCommandSteps[name].step,
    cancellationType,
    startToCloseTimeout: settings.stepTimeoutMs,
    ...options,
  })
}

/**
 * Takes a step forward, bounded in time and number. Throws when it is refused, cancelled, or out of attempts.
 *
 * The fast path is a local activity: it costs Temporal one marker, and ends with its process. The fallback is an
 * activity that any replica can complete. Both send the same command id, so the step is done once.
 */
export async function runStep<N extends DoName>(
  name: N,
  settings: StepSettings,
  log: StepLog,
  purchaseId: string,
  request: Request<N>,
): Promise<StepReply> {
  const call: Call = (activities: DoActivities) => activities[name](purchaseId, request)
  let reply = await runAsLocalActivity(settings, call)
  try {
    reply ??= await runAsActivity(name, settings, call)
  } catch (error) {
    if (!isCancellation(error)) log.unanswered(name, reasonOf(error))
    throw error
  }
  log.answered(name, reply)
  if (reply.outcome === 'done') return reply
  throw ApplicationFailure.create({ type: refusal, message: reply.reason, nonRetryable: true })
}

/**
 * Whether another run of this saga may have gone further than this one. A run that died with its process may have,
 * unless a participant refused the step. If the refusal is `undone`, a lost saga was undoing, and may have left undos
 * open.
 */
export function mayHaveGoneFurther(error: unknown): boolean {
  if (!(error instanceof ApplicationFailure && error.type === refusal)) return true
  return error.message === 'undone' && patched('undo-all-when-undone')
}

/** How long all attempts of the activity that is completed by id may take, ms. */
function boundOf({ stepTimeoutMs, stepAttempts }: StepSettings): number {
  return (stepTimeoutMs + forwardPauseMs) * stepAttempts
}

/** Whether a step was not begun because a cancel was requested. */
export function isCancelRequest(error: unknown): error is ApplicationFailure {
  return error instanceof ApplicationFailure && error.type === cancelRequestedFailure
}

/** The reply, or undefined when none came in time to the process that asked. */
async function runAsLocalActivity(
  settings: StepSettings,
  call: Call,
): Promise<StepReply | undefined> {
  const { replyWaitMs } = settings
  if (replyWaitMs === 0) return undefined
  const scope = CancellationScope.current()
  if (scope.consideredCancelled) await scope.cancelRequested
  const here = proxyLocalActivities<Activities>({
    startToCloseTimeout: replyWaitMs,
    // The command's deadline: a do that arrives late must still be valid on the fallback.
    scheduleToCloseTimeout: replyWaitMs + boundOf(settings),
    retry: { maximumAttempts: 1 },
  })
  try {
    // The step waits for its reply, also when the workflow is cancelled. The SDK's core breaks when it cancels a local
    // activity that ends at that moment ("Invalid transition in state machine"), and so does every later task of the
    // workflow.
    return await CancellationScope.nonCancellable(() => call(here))
  } catch (error) {
    if (isCancellation(error)) throw error
    // In histories of up to 0.2.0 a cancel request ends a local activity, without an ActivityFailure around it.
    if (isCancelRequest(error)) throw error
    return undefined
  }
}

async function runAsActivity(name: DoName, settings: StepSettings, call: Call): Promise<StepReply> {
  // A cancel that came while the command was out waits for what is in flight: one attempt, and no retry of it.
  const { consideredCancelled } = CancellationScope.current()
  const inFlight = consideredCancelled && settings.replyWaitMs > 0
  const bounded = activities(name, settings, {
    scheduleToCloseTimeout: boundOf(settings),
    retry: {
      initialInterval: forwardPauseMs,
      backoffCoefficient: 1,
      maximumAttempts: inFlight ? 1 : settings.stepAttempts,
    },
  })
  return inFlight ? CancellationScope.nonCancellable(() => call(bounded)) : call(bounded)
}

/** What has no last attempt: an undo, and a step of a refund. */
export type RetriedName = UndoName | RefundCommandName

/** For the first round of what has no last attempt. */
export function initialRetry(name: RetriedName, settings: StepSettings): Activities {
  return activities(name, settings, { retry: { ...retry, maximumAttempts: undoAttempts } })
}

/**
 * For one that is stuck: what was done must be undone, and what was promised done, so there is no last attempt. Each
 * round has an activity id of its own, and can be left at once: the one before it may still wait for its reply.
 */
export function slowRetry(name: RetriedName, settings: StepSettings, round: number): Activities {
  return activities(name, settings, {
    activityId: `${anyCommandSteps[name].step}-${round}`,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { initialInterval: undoPauseOf(settings), backoffCoefficient: 1 },
  })
}

const announcing = { cancellationType, startToCloseTimeout: '15 s', retry } as const

/** Announces the outcome of the purchase; retried until Kafka has it. */
export const { announceEnd } = proxyActivities<Activities>({
  ...announcing,
  activityId: announceEndId,
})

/** Announces what happens before the outcome; retried until Kafka has it. */
export const { announceAttention, announceAction } = proxyActivities<Activities>(announcing)

/** Announces the end of a refund; retried until Kafka has it. */
export const { announceRefundEnd } = proxyActivities<Activities>({
  ...announcing,
  activityId: 'announce-refund-end',
})

/** Why a step did not happen, in the words that the customer's purchase shows. */
export function reasonOf(error: unknown): string {
  if (isCancellation(error)) return 'cancelled'
  if (error instanceof ApplicationFailure) return error.message
  if (!(error instanceof ActivityFailure)) return 'internal'
  return error.cause instanceof TimeoutFailure ? 'timeout' : 'unavailable'
}
