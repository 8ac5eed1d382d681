/** How long a saga runs before the gate asks Temporal whether it still does. */
const checkAfterMs = 30_000

/**
 * Bounds the unfinished sagas that this replica started. Its own worker mostly also ends them and says so; for
 * those that another replica ended, `forget` asks.
 */
export function createSagaGate(limit: number, now: () => number = Date.now) {
  const enteredAt = new Map<string, number>()
  const waiting: (() => void)[] = []

  function leave(purchaseId: string): void {
    if (enteredAt.delete(purchaseId)) waiting.shift()?.()
  }

  return {
    /** Resolves when there is room, and takes it until the purchase leaves. Entering twice takes one place. */
    async enter(purchaseId: string): Promise<void> {
      while (!enteredAt.has(purchaseId) && enteredAt.size >= limit) {
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
      enteredAt.set(purchaseId, now())
    },
    leave,
    get size() {
      return enteredAt.size
    },
    /** Lets go of old sagas that `isRunning` says have ended. */
    async forget(isRunning: (purchaseId: string) => Promise<boolean>): Promise<void> {
      for (const [purchaseId, since] of [...enteredAt]) {
        if (now() - since < checkAfterMs) continue
        if (await isRunning(purchaseId)) enteredAt.set(purchaseId, now())
        else leave(purchaseId)
      }
    },
  }
}

export type SagaGate = ReturnType<typeof createSagaGate>
