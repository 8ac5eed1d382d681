import type { PurchaseAccepted } from '../../shared/contracts/events.ts'
import type { Logger } from '../../shared/logger.ts'
import { type Publish, sendEvent } from '../../shared/messages.ts'
import type { Repository } from './repository.ts'
import { toAccepted } from './views.ts'

type Deps = {
  repository: Pick<Repository, 'markPublished' | 'unpublished'>
  publish: Publish
  logger: Logger
  /** How long a purchase may wait for the crowd behind it. */
  holdMs?: number
  /** How long there must have been none before it is gone: customers are answered in batches. */
  calmMs?: number
}

/** A customer is not kept waiting for Kafka longer than this: the sweep publishes what is missing. */
const publishDeadlineMs = 1_000
/** Older than any publish that is still under way, and than any event that is held. */
const unpublishedAfterMs = 15_000
const sweepBatch = 200
/** More customers at the door than these are a crowd. */
const crowd = 16
/** More than these may be the first of one: their events wait for a fifth of the calm, to see. */
const several = 4
const maxHeld = 2_000

/**
 * The events that start sagas, each published behind its row. While a crowd is at the door it goes first: the rows are
 * stored and answered, and their events wait until it is gone, for 10 s at most. The sagas would only keep from the CPU
 * those who wait for their answer, and those of the first few no less. Whatever is lost here, the rows know, and the
 * sweep publishes.
 */
export function createAcceptedEvents({
  repository,
  publish,
  logger,
  holdMs = 10_000,
  calmMs = 500,
}: Deps) {
  let atDoor = 0
  let crowdedAt = Number.NEGATIVE_INFINITY
  let held: PurchaseAccepted[] = []
  let heldSince = 0
  let holding: NodeJS.Timeout | undefined
  let failed: PurchaseAccepted[] = []
  let published: string[] = []

  async function publishNow(accepted: PurchaseAccepted): Promise<void> {
    try {
      await sendEvent(publish, 'purchaseAccepted', accepted, publishDeadlineMs)
      published.push(accepted.purchase_id)
    } catch (err) {
      if (failed.length < maxHeld) failed.push(accepted)
      logger.warn({ err, purchase_id: accepted.purchase_id }, 'purchase waits for the sweep')
    }
  }

  const isCrowded = () => performance.now() - crowdedAt < calmMs

  function hold(accepted: PurchaseAccepted): void {
    held.push(accepted)
    if (holding) return
    heldSince = performance.now()
    holding = setInterval(() => {
      if (!isCrowded() || performance.now() - heldSince >= holdMs) void release()
    }, calmMs / 5)
  }

  async function release(): Promise<void> {
    clearInterval(holding)
    holding = undefined
    const all = held
    held = []
    await Promise.all(all.map(publishNow))
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
    publishNow,

    /** Serves one customer, who counts as being at the door meanwhile. */
    async serve<T>(customer: () => Promise<T>): Promise<T> {
      atDoor += 1
      if (atDoor > crowd) crowdedAt = performance.now()
      try {
        return await customer()
      } finally {
        atDoor -= 1
      }
    },

    /** Publishes the event of a stored purchase, or holds it. Throws nothing: the sweep has what Kafka has not. */
    async publish(accepted: PurchaseAccepted): Promise<void> {
      if ((isCrowded() || atDoor > several) && held.length < maxHeld) hold(accepted)
      else await publishNow(accepted)
    },

    notePublished,

    /**
     * Publishes accepted purchases whose event is missing: those that Kafka did not take from this process, and those
     * whose process died right behind the insert.
     */
    async publishMissing(): Promise<void> {
      const again = failed
      failed = []
      await Promise.all(again.map(publishNow))
      const rows = await repository.unpublished(unpublishedAfterMs, sweepBatch)
      const here = [...held, ...failed].map(({ purchase_id }) => purchase_id)
      const known = new Set([...published, ...here])
      const missing = rows.filter(({ id }) => !known.has(id))
      await Promise.all(missing.map((row) => publishNow(toAccepted(row))))
    },

    async close(): Promise<void> {
      await release()
      await notePublished()
    },
  }
}
