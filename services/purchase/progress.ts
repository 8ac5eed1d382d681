import type { AttentionNeeded, PurchaseEnded } from '../../shared/contracts/events.ts'
import { page } from '../../shared/contracts/list.ts'
import {
  endSequence,
  type Purchase,
  type PurchaseEvent,
  type PurchaseListQuery,
} from '../../shared/contracts/purchase.ts'
import { commandSteps } from '../../shared/contracts/steps.ts'
import { createBatchedWrite } from '../../shared/database/batched-write.ts'
import type { EventStream } from '../../shared/http/sse.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { PurchaseMetrics } from './metrics.ts'
import type { ProgressFeed } from './progress-feed.ts'
import type { EndedStep, ReportedStep, Repository } from './repository.ts'
import { toPurchase } from './views.ts'

type Deps = {
  repository: Pick<Repository, 'addProgress' | 'end' | 'flag' | 'findOwn' | 'listOwn'>
  /** Sends changes to watchers, and is notified of them. */
  feed: ProgressFeed
  /** Called when purchases have ended, with their number, and others wait for their turn. Does not block. */
  onRoom: (ended: number) => void
  metrics: Pick<PurchaseMetrics, 'ended'>
  logger: Logger
}

/** Steps of progress wait this long for others, so that they cost the database a statement for many. */
const progressLingerMs = 50

const sequences = new Map(Object.values(commandSteps).map(({ step, sequence }) => [step, sequence]))

/** The progress of purchases: written as it is received, shown to their customers. */
export function createProgress(deps: Deps) {
  const { repository, feed, logger } = deps
  const addStep = createBatchedWrite(
    async (steps: ReportedStep[]) => {
      await repository.addProgress(steps)
      return steps.map(() => undefined)
    },
    { lingerMs: progressLingerMs },
  )
  const endOne = createBatchedWrite(async (ends: PurchaseEnded[]) => {
    const { ended, hasQueue } = await repository.end(
      ends.map((end) => ({ ...end, steps: stepsOf(end) })),
    )
    if (hasQueue) deps.onRoom(ends.length)
    return ends.map((end) => {
      const releasedAt = ended.get(end.purchase_id)
      if (releasedAt === undefined) return false
      deps.metrics.ended(end, releasedAt?.getTime() ?? null)
      // It may come twice in one batch.
      ended.delete(end.purchase_id)
      return true
    })
  })

  /** The progress of a purchase that a client does not have, until it has ended or `signal` is aborted. */
  async function watchOwn(
    customerId: string,
    id: string,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): Promise<EventStream<PurchaseEvent>> {
    const known = await feed.read(id)
    if (known?.customerId !== customerId) throw new AppError('not_found', 'no such purchase')
    return feed.watch(known, lastEventId, signal)
  }

  return {
    async addStep(step: ReportedStep): Promise<void> {
      await addStep(step)
      feed.note(step.purchaseId)
    },

    /** Ends a purchase with all its steps in one statement, so that no reader sees the end without them. */
    async end(ended: PurchaseEnded): Promise<void> {
      const changed = await endOne(ended)
      feed.note(ended.purchase_id)
      logger.info(
        {
          ...{ purchase_id: ended.purchase_id, status: ended.status, reason: ended.reason },
          changed,
        },
        'purchase ended',
      )
    },

    flag: (id: string, reason: AttentionNeeded['reason']) => repository.flag(id, reason),

    async getOwn(customerId: string, id: string): Promise<Purchase> {
      const row = await repository.findOwn(id, customerId)
      if (!row) throw new AppError('not_found', 'no such purchase')
      return toPurchase(row)
    },

    async listOwn(customerId: string, query: PurchaseListQuery) {
      const rows = await repository.listOwn(customerId, query)
      const { items, next_cursor } = page(rows, query.limit)
      return { items: items.map(toPurchase), next_cursor }
    },

    watchOwn,

    /** A purchase when it has ended; undefined when `signal` is aborted before that. */
    async waitForEnd(
      customerId: string,
      id: string,
      signal: AbortSignal,
    ): Promise<Purchase | undefined> {
      const events = await watchOwn(customerId, id, String(endSequence - 1), signal)
      for await (const { event, data } of events ?? []) {
        if (event === 'end') return data as Purchase
      }
      return undefined
    },
  }
}

export type PurchaseProgress = ReturnType<typeof createProgress>

/** An end of an earlier version has no steps; the step that ended the purchase is shown in any case. */
function stepsOf({ steps, failed_step, status, reason }: PurchaseEnded): EndedStep[] {
  const unanswered = { step: failed_step ?? '', outcome: 'rejected', reason, at: null }
  const known = steps ?? (status === 'REJECTED' ? [unanswered] : [])
  return known.flatMap(({ step: name, ...rest }) => {
    const sequence = sequences.get(name)
    return sequence === undefined ? [] : [{ ...rest, name, sequence }]
  })
}
