// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import {
  ActivityCancellationType,
  ActivityFailure,
  type ActivityOptions,
  ApplicationFailure,
  isCancellation,
  proxyActivities,
  TimeoutFailure,
} from '@temporalio/workflow'
import type { Activities } from '../activities/index.ts'
import type { AnyReply } from '../shared/contracts/commands.ts'
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
}

/** The SDK's real default is TRY_CANCEL, which would undo a step while its command may still be running. */
const cancellationType = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
const forwardPauseMs = 500
const retry = { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '10 s' } as const

/** When these have failed, after 15 to 75 s, an undo counts as stuck and goes to the slow schedule. */
const undoAttempts = 6
const defaultUndoPauseMs = 30_000

function activities(step: StepName, settings: StepSettings, options: ActivityOptions): Activities {
  return proxyActivities<Activities>({
    activityId: steps[step],
    cancellationType,
    startToCloseTimeout: settings.stepTimeoutMs,
    ...options,
  })
}

/** Takes a step forward, bounded in time and number. Throws ApplicationFailure when it is refused. */
export async function take(step: StepName, settings: StepSettings, call: Call): Promise<void> {
  const { stepTimeoutMs, stepAttempts } = settings
  const bounded = activities(step, settings, {
    scheduleToCloseTimeout: (stepTimeoutMs + forwardPauseMs) * stepAttempts,
    retry: {
      initialInterval: forwardPauseMs,
      backoffCoefficient: 1,
      maximumAttempts: stepAttempts,
    },
  })
  const reply = await call(bounded)
  if (reply.outcome === 'done') return
  throw ApplicationFailure.create({
    type: 'StepRejected',
    message: reply.reason,
    nonRetryable: true,
  })
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
    retry: { initialInterval: settings.undoPauseMs ?? defaultUndoPauseMs, backoffCoefficient: 1 },
  })
}

const announcing = { cancellationType, startToCloseTimeout: '15 s', retry } as const

/** Tells the world how the purchase ended; tried until Kafka has it. */
export const { announceEnd } = proxyActivities<Activities>({
  ...announcing,
  activityId: 'announce-end',
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
