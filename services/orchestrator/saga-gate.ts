/**
 * After this a saga counts as parked: it waits for an undo or a timer, costs nothing, and must not keep new
 * purchases out. Longer than a saga takes whose every step runs out of time.
 */
const parkedAfterMs = 120_000

/**
 * Bounds the sagas that this replica has started and that have not ended. Its own worker mostly also ends them and
 * says so; those that another replica ended, or that are stuck, leave when they count as parked.
 */
export function createSagaGate(limit: number, now: () => number = Date.now) {
  const enteredAt = new Map<string, number>()
  const waiting: { purchaseId: string; go: () => void }[] = []

  function leave(purchaseId: string): void {
    if (enteredAt.delete(purchaseId)) waiting.shift()?.go()
  }

  return {
    /** Resolves when there is room, and takes it until the purchase leaves. Entering twice takes one place. */
    async enter(purchaseId: string): Promise<void> {
      while (!enteredAt.has(purchaseId) && enteredAt.size >= limit) {
        await new Promise<void>((go) => waiting.push({ purchaseId, go }))
      }
      enteredAt.set(purchaseId, now())
    },
    leave,
    /** Those who come next. */
    waiting: (): string[] => waiting.map(({ purchaseId }) => purchaseId),
    get size() {
      return enteredAt.size
    },
    async letParkedLeave(): Promise<void> {
      for (const [purchaseId, since] of [...enteredAt]) {
        if (now() - since >= parkedAfterMs) leave(purchaseId)
      }
    },
  }
}

export type SagaGate = ReturnType<typeof createSagaGate>
