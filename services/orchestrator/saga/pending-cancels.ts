/**
 * The cancel Updates that this process waits for. Temporal delivers an Update between two workflow tasks, and quick
 * steps share one task. So the reply to a step says that an Update is pending, and the saga ends its task before the
 * next step. An entry lives as long as the call that sends the Update.
 */
export function createPendingCancels() {
  const pending = new Map<string, number>()

  return {
    /** Runs `send`, and knows that a cancel of the purchase is pending meanwhile. */
    async during<T>(purchaseId: string, send: () => Promise<T>): Promise<T> {
      pending.set(purchaseId, (pending.get(purchaseId) ?? 0) + 1)
      try {
        return await send()
      } finally {
        const left = (pending.get(purchaseId) ?? 1) - 1
        if (left > 0) pending.set(purchaseId, left)
        else pending.delete(purchaseId)
      }
    },
    has: (purchaseId: string): boolean => pending.has(purchaseId),
  }
}

export type PendingCancels = ReturnType<typeof createPendingCancels>
