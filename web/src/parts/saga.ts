import { commandNames, commandSteps, doNames } from '../../../shared/contracts/steps.ts'
import { hasEnded, type Purchase } from './watch.ts'

export type StepState = 'todo' | 'asked' | 'done' | 'rejected'
export type SagaStep = {
  name: string
  participant: string
  isUndo: boolean
  state: StepState
  reason: string | null
  /** Since the purchase was accepted. */
  afterMs: number | null
  /** It was asked for, and no answer has come for long. */
  late: boolean
}

/** Answers take milliseconds. */
const lateMs = 5_000

const words: Record<string, string> = {
  'reserve-stock': 'Reserve the stock',
  'create-order': 'Create the order',
  'take-payment': 'Take the payment',
  'refund-payment': 'Void or refund the payment',
  'cancel-order': 'Cancel the order',
  'release-stock': 'Release the stock',
}

/** What a step does, in words; of a step that has none here its name. */
export function stepWords(name: string): string {
  return words[name] ?? name.replaceAll('-', ' ')
}

const reasons: Record<string, string> = {
  out_of_stock: 'not enough in stock',
  payment_declined: 'the payment was declined',
  cancelled: 'cancelled',
  timeout: 'no answer in time',
  unavailable: 'unavailable',
  internal: 'an internal error',
}

export function reasonWords(reason: string): string {
  return reasons[reason] ?? reason.replaceAll('_', ' ')
}

/**
 * Every step and undo of a purchase with how it stands. Which one is asked for now is not told by anyone: it follows
 * from the registry, forward until a step is rejected or the purchase is cancelled, then back through what was begun.
 */
export function sagaSteps(purchase: Purchase): SagaStep[] {
  const known = new Map<string, Purchase['steps'][number]>(
    purchase.steps.map((step) => [step.name, step]),
  )
  const start = Date.parse(purchase.created_at)
  const hasStarted = purchase.status !== 'ACCEPTED' || purchase.steps.length > 0
  const running = hasStarted && !hasEnded(purchase)
  const isBack =
    purchase.status === 'CANCELLING' ||
    purchase.steps.some(({ outcome }) => outcome !== 'done') ||
    commandNames.some((name) => commandSteps[name].undoes && known.has(commandSteps[name].step))
  const begun = (name: (typeof commandNames)[number]) => known.has(commandSteps[name].step)
  const next = isBack
    ? commandNames.find((name) => {
        const { undoes } = commandSteps[name]
        return undoes !== undefined && begun(undoes) && !begun(name)
      })
    : doNames.find((name) => !begun(name))
  const movedAt = Math.max(start, ...purchase.steps.map(({ at }) => Date.parse(at)))
  return commandNames.map((name) => {
    const { step, participant, undoes } = commandSteps[name]
    const told = known.get(step)
    const asked = running && name === next ? 'asked' : 'todo'
    return {
      name: step,
      participant,
      isUndo: undoes !== undefined,
      // A step without an answer in time counts as refused.
      state: told ? (told.outcome === 'done' ? 'done' : 'rejected') : asked,
      reason: told?.reason ?? null,
      afterMs: told ? Math.max(0, Date.parse(told.at) - start) : null,
      late: asked === 'asked' && Date.now() - movedAt > lateMs,
    }
  })
}
