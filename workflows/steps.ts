// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import {
  ActivityCancellationType,
  ActivityFailure,
  type ActivityOptions,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  TimeoutFailure,
} from '@temporalio/workflow'
import type { Activities } from '../activities/index.ts'
import type { AnyReply } from '../shared/contracts/commands.ts'
import { announceEndId, cancelWish } from '../shared/contracts/saga.ts'
import { steps } from '../shared/contracts/steps.ts'

export type StepName = keyof typeof steps
/** One use of the activities, with the time limits that they are given. */
export type Call = (activities: Activities) => Promise<AnyReply>

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

function activities(step: StepName, settings: StepSettings, options: ActivityOptions): Activities {
  return proxyActivities<Activities>({
    activityId: steps[step],
    cancellationType,
    startToCloseTimeout: settings.stepTimeoutMs,
    ...options,
  })
}

/**
 * Takes a step forward, bounded in time and number. Throws ApplicationFailure when it is refused, or cancelled.
 *
 * The short way is a local activity: it costs Temporal one marker, and dies with its process. What it leaves open is
 * done by an activity that any replica can complete. Both send the same command id, so the step is done once.
 */
export async function take(step: StepName, settings: StepSettings, call: Call): Promise<void> {
  const reply = (await takeHere(settings, call)) ?? (await takeAnywhere(step, settings, call))
  if (reply.outcome === 'done') return
  throw ApplicationFailure.create({ type: refusal, message: reply.reason, nonRetryable: true })
}

/** Whether a participant said no, so that neither this run of the saga nor a lost one went beyond that step. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApplicationFailure && error.type === refusal
}

/** How long all attempts of the activity that is completed by id may take, ms. */
function boundOf({ stepTimeoutMs, stepAttempts }: StepSettings): number {
  return (stepTimeoutMs + forwardPauseMs) * stepAttempts
}

/** Whether a step was not begun because the customer does not want the purchase any more. */
export function isCancelWish(error: unknown): error is ApplicationFailure {
  return error instanceof ApplicationFailure && error.type === cancelWish
}

/** The reply, or undefined when none came in time to the process that asked. Throws when the customer cancels. */
async function takeHere(settings: StepSettings, call: Call): Promise<AnyReply | undefined> {
  const { replyWaitMs } = settings
  if (replyWaitMs === 0) return undefined
  const scope = CancellationScope.current()
  if (scope.consideredCancelled) await scope.cancelRequested
  const here = proxyLocalActivities<Activities>({
    startToCloseTimeout: replyWaitMs,
    // The command's deadline: a do that comes late must still be good for the other way.
    scheduleToCloseTimeout: replyWaitMs + boundOf(settings),
    retry: { maximumAttempts: 1 },
  })
  try {
    // It waits for its reply whatever is wished. The SDK's core breaks when it is told to cancel a local activity that
    // ends at that moment ("Invalid transition in state machine"), and so does every later task of the workflow.
    return await CancellationScope.nonCancellable(() => call(here))
  } catch (error) {
    if (isCancellation(error)) throw error
    // What a local activity throws comes without an ActivityFailure around it.
    if (isCancelWish(error)) throw error
    return undefined
  }
}

async function takeAnywhere(step: StepName, settings: StepSettings, call: Call): Promise<AnyReply> {
  // A cancel that came while the command was out waits for what is in flight: one attempt, and no retry of it.
  const { consideredCancelled } = CancellationScope.current()
  const inFlight = consideredCancelled && settings.replyWaitMs > 0
  const bounded = activities(step, settings, {
    scheduleToCloseTimeout: boundOf(settings),
    retry: {
      initialInterval: forwardPauseMs,
      backoffCoefficient: 1,
      maximumAttempts: inFlight ? 1 : settings.stepAttempts,
    },
  })
  return inFlight ? CancellationScope.nonCancellable(() => call(bounded)) : call(bounded)
}

/** For the first round of an undo. */
export function undoSoon(step: StepName, settings: StepSettings): Activities {
  return activities(step, settings, { retry: { ...retry, maximumAttempts: undoAttempts } })
}

/**
 * For an undo that is stuck: what was done must be undone, so there is no last attempt. Each round has an activity id
 * of its own, and can be left at once: the one before it may still wait for its reply.
 */
export function undoOnceMore(step: StepName, settings: StepSettings, round: number): Activities {
  return activities(step, settings, {
    activityId: `${steps[step]}-${round}`,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { initialInterval: undoPauseOf(settings), backoffCoefficient: 1 },
  })
}

const announcing = { cancellationType, startToCloseTimeout: '15 s', retry } as const

/** Tells the world how the purchase ended; tried until Kafka has it. */
export const { announceEnd } = proxyActivities<Activities>({
  ...announcing,
  activityId: announceEndId,
})

/** Tells the world on the way there; tried until Kafka has it. */
export const { announceAttention, announceAction } = proxyActivities<Activities>(announcing)

/** Why a step did not happen, in the words that the customer's purchase shows. */
export function reasonOf(error: unknown): string {
  if (isCancellation(error)) return 'cancelled'
  if (error instanceof ApplicationFailure) return error.message
  if (!(error instanceof ActivityFailure)) return 'internal'
  return error.cause instanceof TimeoutFailure ? 'timeout' : 'unavailable'
}
