import { Counter, Histogram, type Registry } from 'prom-client'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { timeOfId } from '../../shared/contracts/ids.ts'
import { commandSteps, isUndo } from '../../shared/contracts/steps.ts'
import { sagaBuckets } from '../../shared/runtime/metrics.ts'

const directions = new Map(
  Object.entries(commandSteps).map(([name, { step }]) => [
    step as string,
    isUndo(name as keyof typeof commandSteps) ? 'undo' : 'do',
  ]),
)

/** What purchases go through, from the rows: each is counted once, whichever replica or restart sees it again. */
export function createPurchaseMetrics(registry: Registry) {
  const registers = [registry]
  const accepted = new Counter({
    name: 'purchases_accepted_total',
    help: 'Purchases accepted, by what became of them: released at once, or queued',
    labelNames: ['as'],
    registers,
  })
  const ended = new Counter({
    name: 'purchases_ended_total',
    help: 'Purchases ended, by their status and why: `none` for those that completed',
    labelNames: ['status', 'reason'],
    registers,
  })
  const admission = new Histogram({
    name: 'purchase_admission_wait_seconds',
    help: 'Time from accepting a purchase to releasing its saga',
    buckets: sagaBuckets,
    registers,
  })
  const purchase = new Histogram({
    name: 'purchase_duration_seconds',
    help: 'Time from accepting a purchase to its end, by status',
    labelNames: ['status'],
    buckets: sagaBuckets,
    registers,
  })
  const saga = new Histogram({
    name: 'saga_duration_seconds',
    help: 'Time from releasing a saga to the end of its purchase, by status',
    labelNames: ['status'],
    buckets: sagaBuckets,
    registers,
  })
  const step = new Histogram({
    name: 'saga_step_duration_seconds',
    help: 'Time from the answer before, or the release, to the answer of a step, with all its attempts; direction: do or undo',
    labelNames: ['step', 'direction', 'outcome'],
    buckets: sagaBuckets,
    registers,
  })

  function observeSteps(steps: PurchaseEnded['steps'], releasedAt: number): void {
    let before = releasedAt
    for (const { step: name, outcome, at } of steps ?? []) {
      const direction = directions.get(name)
      if (direction === undefined) continue
      const answeredAt = Date.parse(at)
      step.observe({ step: name, direction, outcome }, seconds(answeredAt - before))
      before = answeredAt
    }
  }

  return {
    accepted: (as: 'released' | 'queued') => accepted.inc({ as }),
    /** Its saga may start from now on. */
    released: (purchaseId: string) => admission.observe(seconds(Date.now() - timeOfId(purchaseId))),
    /** `releasedAt`: epoch ms; null for one that was never released. */
    ended({ purchase_id, status, reason, steps }: PurchaseEnded, releasedAt: number | null): void {
      ended.inc({ status, reason: reason ?? 'none' })
      purchase.observe({ status }, seconds(Date.now() - timeOfId(purchase_id)))
      if (releasedAt === null) return
      saga.observe({ status }, seconds(Date.now() - releasedAt))
      observeSteps(steps, releasedAt)
    },
  }
}

export type PurchaseMetrics = ReturnType<typeof createPurchaseMetrics>

/** Clocks of different machines may disagree by some ms. */
const seconds = (ms: number) => Math.max(ms, 0) / 1_000
