import { releasedAtHeader } from '../../shared/contracts/envelope.ts'
import type { PurchaseAccepted } from '../../shared/contracts/events.ts'
import { nilId } from '../../shared/contracts/ids.ts'
import type { Publish } from '../../shared/messaging/bus.ts'
import { sendEvent } from '../../shared/messaging/messages.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { outsideTrace } from '../../shared/runtime/tracing.ts'
import type { PurchaseMetrics } from './metrics.ts'
import type { StartLimits } from './queue-repository.ts'
import type { Repository } from './repository.ts'
import { toAccepted } from './views.ts'

type Deps = {
  repository: Pick<Repository, 'markPublished' | 'unpublished' | 'release'>
  publish: Publish
  startLimits: StartLimits
  metrics: Pick<PurchaseMetrics, 'released'>
  logger: Logger
}

/** A customer does not wait for Kafka longer than this: the sweep publishes what is missing. */
const publishDeadlineMs = 1_000
/** Older than any publish that is still in progress. */
const unpublishedAfterMs = 15_000
const sweepBatch = 200
/**
 * A release reads the queue, so it waits until this many purchases have ended, or the first of them this long ago. Half of
 * what one customer may have started, so the sagas that go on keep the orchestrator busy meanwhile.
 */
const endsBeforeRelease = 16
const releaseDelayMs = 500
const maxFailed = 2_000

/**
 * Publishes the events that start sagas. The rows are the queue: a purchase is released when its customer has few under
 * way, so Kafka never holds a backlog in which one customer's purchases stand before another's. What is lost here, the
 * rows know, and the sweeps publish.
 */
export function createPublishing({ repository, publish, startLimits, metrics, logger }: Deps) {
  let failed: PurchaseAccepted[] = []
  let published: string[] = []
  let releasing: Promise<void> | undefined
  let again = false
  let endsSinceRelease = 0
  let delayed: NodeJS.Timeout | undefined

  async function publishNow(
    accepted: PurchaseAccepted,
    headers: Record<string, string> = {},
  ): Promise<void> {
    try {
      await sendEvent(publish, 'purchaseAccepted', accepted, publishDeadlineMs, headers)
      published.push(accepted.purchase_id)
    } catch (err) {
      if (failed.length < maxFailed) failed.push(accepted)
      logger.warn({ err, purchase_id: accepted.purchase_id }, 'purchase waits for the sweep')
    }
  }

  /** `releasedAt`: see `releasedAtHeader`. */
  function publishReleased(accepted: PurchaseAccepted, releasedAt?: number): Promise<void> {
    metrics.released(accepted.purchase_id)
    return publishNow(accepted, releasedAt ? { [releasedAtHeader]: `${releasedAt}` } : {})
  }

  async function releaseAll(): Promise<void> {
    let after: string | undefined = nilId
    while (after !== undefined) {
      // A cancel request that comes from now on is delivered by its own call.
      const releasedAt = Date.now()
      const { released, next } = await repository.release(sweepBatch, startLimits, after)
      await Promise.all(
        released.map(({ accepted, cancelRequested }) =>
          publishReleased(accepted, cancelRequested ? undefined : releasedAt),
        ),
      )
      after = next
    }
  }

  /** One release at a time; a call during a release causes another one after it. */
  async function release(): Promise<void> {
    again = true
    endsSinceRelease = 0
    clearTimeout(delayed)
    delayed = undefined
    releasing ??= (async () => {
      while (again) {
        again = false
        await outsideTrace(releaseAll)
      }
    })().finally(() => {
      releasing = undefined
    })
    await releasing
  }

  function releaseNow(): void {
    release().catch((err) =>
      logger.warn({ err }, 'release of queued purchases failed: left to the sweep'),
    )
  }

  /** Notes in one statement what was published since the last call. */
  async function notePublished(): Promise<void> {
    if (published.length === 0) return
    const ids = published
    published = []
    try {
      await repository.markPublished(ids)
    } catch (error) {
      published.push(...ids)
      throw error
    }
  }

  return {
    /** Publishes the event of a purchase that was released just now. Never fails, as `publishNow`. */
    publishReleased: (accepted: PurchaseAccepted) => publishReleased(accepted),

    /** Publishes the event of a released purchase. Never fails: the sweep publishes what Kafka did not take. */
    publishNow: (accepted: PurchaseAccepted) => publishNow(accepted),

    /** Releases purchases that wait, as far as the limits have room for them. */
    release,

    /** Signals that purchases have ended, so that others may be released soon. Does not block and never fails. */
    noteEnded(ended: number): void {
      endsSinceRelease += ended
      if (endsSinceRelease >= endsBeforeRelease) releaseNow()
      else delayed ??= setTimeout(releaseNow, releaseDelayMs)
    },

    notePublished,

    /**
     * Publishes released purchases whose event is missing: those that Kafka did not take from this process, and those
     * whose process died right after the insert.
     */
    async publishMissing(): Promise<void> {
      const retried = failed
      failed = []
      await Promise.all(retried.map((accepted) => publishNow(accepted)))
      const rows = await repository.unpublished(unpublishedAfterMs, sweepBatch)
      const known = new Set([...published, ...failed.map(({ purchase_id }) => purchase_id)])
      const missing = rows.filter(({ id }) => !known.has(id))
      await Promise.all(missing.map((row) => publishNow(toAccepted(row))))
    },

    async close(): Promise<void> {
      clearTimeout(delayed)
      await releasing?.catch(() => undefined)
      await notePublished()
    },
  }
}
