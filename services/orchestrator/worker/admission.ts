import { createTurns } from '../../../shared/runtime/turns.ts'

/**
 * After this a saga counts as stale: it waits for an undo or a timer, costs nothing, and must not keep new
 * purchases out. Longer than a saga takes whose every step runs out of time.
 */
const staleAfterMs = 120_000
/**
 * Every saga in progress waits in the same queues of Temporal, Kafka and the participants, so a purchase takes as long as
 * all of them together. A customer who buys alone may have the first share of the limit, with which a burst costs least
 * CPU. As soon as another one buys, each may have the second, which still keeps a machine busy.
 */
const aloneShare = 2 / 3
const sharedShare = 1 / 6
/** A customer counts as buying for so long after a purchase was admitted. */
const buyingMs = 10_000

type Waiting = { purchaseId: string; customerId: string } & PromiseWithResolvers<void>

/**
 * Bounds the sagas that this replica has started and that have not ended. The next place goes to the customer who has
 * the fewest here, in order of arrival within one customer. Its own worker also ends most of the sagas and frees their
 * places; a saga that another replica ended, or that is stuck, leaves when it is stale.
 */
export function createSagaGate(limit: number, now: () => number = Date.now) {
  /** The last purchase of each customer who is buying, oldest first. */
  const boughtAt = new Map<string, number>()
  const turns = createTurns<Waiting>({ limit, perClient, first: 'fewest' })
  const entered = new Map<string, { customerId: string; at: number }>()
  const waiting = new Map<string, Waiting>()

  function perClient(): number {
    return Math.ceil(limit * (boughtAt.size > 1 ? sharedShare : aloneShare))
  }

  function noteBuying(customerId: string): void {
    boughtAt.delete(customerId)
    boughtAt.set(customerId, now())
    for (const [other, at] of boughtAt) {
      if (now() - at <= buyingMs) break
      boughtAt.delete(other)
    }
  }

  function admit(): void {
    for (let one = turns.startNext(); one; one = turns.startNext()) {
      waiting.delete(one.purchaseId)
      entered.set(one.purchaseId, { customerId: one.customerId, at: now() })
      one.resolve()
    }
  }

  function leave(purchaseId: string): void {
    const place = entered.get(purchaseId)
    if (!place) return
    entered.delete(purchaseId)
    turns.end(place.customerId)
    admit()
  }

  return {
    /** Resolves when there is room, and takes it until the purchase leaves. Entering twice takes one place. */
    enter(purchaseId: string, customerId: string): Promise<void> {
      noteBuying(customerId)
      const place = entered.get(purchaseId)
      if (place) {
        place.at = now()
        return Promise.resolve()
      }
      const known = waiting.get(purchaseId)
      if (known) return known.promise
      const one = { purchaseId, customerId, ...Promise.withResolvers<void>() }
      waiting.set(purchaseId, one)
      turns.wait(customerId, one)
      admit()
      return one.promise
    },
    leave,
    /** The ids of the waiting purchases. */
    waiting: (): string[] => [...waiting.keys()],
    get size() {
      return entered.size
    },
    async evictStale(): Promise<void> {
      for (const [purchaseId, { at }] of [...entered]) {
        if (now() - at >= staleAfterMs) leave(purchaseId)
      }
    },
  }
}

export type SagaGate = ReturnType<typeof createSagaGate>
