// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import type { StepOutcome } from '../shared/contracts/events.ts'
import type { StepReply } from '../shared/contracts/saga.ts'
import { type CommandName, commandSteps } from '../shared/contracts/steps.ts'

/**
 * What became of each step of a saga, in the order in which they ended. The end of the purchase carries it: replies and
 * ends travel on different topics, so a reader of the end must not need the replies.
 */
export function createStepLog() {
  const outcomes = new Map<string, StepOutcome>()

  return {
    /** Replies that an earlier version recorded have no time, and their steps are left to the readers of replies. */
    answered(name: CommandName, reply: StepReply): void {
      if (reply.answered_at === undefined) return
      const { step } = commandSteps[name]
      outcomes.set(step, {
        step,
        outcome: reply.outcome,
        reason: reply.outcome === 'rejected' ? reply.reason : null,
        at: reply.answered_at,
      })
    },
    /** No participant answered in all the time that the step had. `Date` is Temporal's: the same in a replay. */
    unanswered(name: CommandName, reason: string): void {
      const { step } = commandSteps[name]
      outcomes.set(step, { step, outcome: 'timeout', reason, at: new Date().toISOString() })
    },
    outcomes: (): StepOutcome[] => [...outcomes.values()],
  }
}

export type StepLog = ReturnType<typeof createStepLog>
