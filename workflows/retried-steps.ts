// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import { CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow'
import type { Activities } from '../activities/index.ts'
import type { Reply } from '../shared/contracts/commands.ts'
import type { RefundStepState } from '../shared/contracts/saga.ts'
import { type RefundCommandName, refundSteps } from '../shared/contracts/steps.ts'
import { initialRetry, type StepSettings, slowRetry, undoPauseOf } from './run-step.ts'
import type { Timeline } from './timeline.ts'

type Step = {
  name: RefundCommandName
  state: RefundStepState['state']
  /** How often a stuck one was begun anew, and what ends the round that runs. */
  round: number
  running?: CancellationScope
}

/** `closeRefund` has no effect that a person could stand in for: it is repeated until payment answers. */
const resolvable: ReadonlySet<RefundCommandName> = new Set(['returnMoney', 'returnStock'])

const stepOf = (name: RefundCommandName): string => refundSteps[name].step

/**
 * Steps that are repeated until a participant has answered. One that its first attempts did not bring about is stuck:
 * it is reported, and then repeated slowly, until it is answered or an operator resolves it.
 */
export function createRetriedSteps(
  settings: StepSettings,
  timeline: Timeline,
  { onStuck, onMoving }: { onStuck: (step: string) => Promise<void>; onMoving: () => void },
) {
  const steps: Step[] = []

  function stuck(step: string | null, names?: ReadonlySet<RefundCommandName>): Step[] {
    return steps.filter(
      ({ name, state }) =>
        state === 'stuck' && (step === null || stepOf(name) === step) && (names?.has(name) ?? true),
    )
  }

  return {
    /** Its reply; undefined when an operator resolved it. */
    async take<N extends RefundCommandName>(
      name: N,
      call: (activities: Activities) => Promise<Reply<N>>,
    ): Promise<Reply<N> | undefined> {
      const step: Step = { name, state: 'running', round: 1 }
      steps.push(step)
      const answered = (reply: Reply<N>): Reply<N> => {
        if (step.state === 'stuck') onMoving()
        step.state = reply.outcome === 'done' ? 'done' : 'refused'
        return reply
      }
      const timed = (activities: Activities) =>
        timeline.time(
          stepOf(name),
          () => call(activities),
          (error) => (isCancellation(error) ? 'asked for again' : 'failed'),
        )
      try {
        return answered(await timed(initialRetry(name, settings)))
      } catch (error) {
        log.error('step of a refund stuck', { step: stepOf(name), error: String(error) })
        step.state = 'stuck'
      }
      await onStuck(stepOf(name))
      while (step.state === 'stuck') {
        step.running = new CancellationScope()
        try {
          const slow = slowRetry(name, settings, step.round)
          return answered(await step.running.run(() => timed(slow)))
        } catch (error) {
          if (!isCancellation(error)) await sleep(undoPauseOf(settings))
          step.round += 1
        }
      }
      onMoving()
      return undefined
    },
    retry(step: string | null): void {
      for (const one of stuck(step)) one.running?.cancel()
    },
    resolve(step: string | null): void {
      for (const one of stuck(step, resolvable)) {
        one.state = 'resolved'
        one.running?.cancel()
      }
    },
    isStuck: (step: string | null): boolean => stuck(step).length > 0,
    canResolve: (step: string | null): boolean => stuck(step, resolvable).length > 0,
    states: (): RefundStepState[] =>
      steps.map(({ name, state }) => ({ step: stepOf(name), state })),
  }
}

export type RetriedSteps = ReturnType<typeof createRetriedSteps>
