import { LRUCache } from 'lru-cache'
import type { AnyReply } from '../../shared/contracts/commands.ts'

/** Longer than a saga takes that goes on at all; one that is held up hears the wish by its Update. */
const wishMs = 60_000
const maxWishes = 10_000

/** The steps that wait in this process, by the id of their command, and the purchases that must not wait. */
export function createReplyWaiters() {
  const waiting = new Map<string, Set<(reply?: AnyReply) => void>>()
  const unwanted = new LRUCache<string, true>({ max: maxWishes, ttl: wishMs })

  return {
    /** Resolves with the reply to a command, or with undefined when `timeoutMs` are over. */
    wait(commandId: string, timeoutMs: number): Promise<AnyReply | undefined> {
      return new Promise((resolve) => {
        const waiters = waiting.get(commandId) ?? new Set()
        waiting.set(commandId, waiters)
        const end = (reply?: AnyReply) => {
          clearTimeout(timer)
          waiters.delete(end)
          if (waiters.size === 0 && waiting.get(commandId) === waiters) waiting.delete(commandId)
          resolve(reply)
        }
        const timer = setTimeout(end, timeoutMs)
        waiters.add(end)
      })
    },
    /** Hands over a reply; false when no step waits for it here. */
    answer(commandId: string, reply: AnyReply): boolean {
      const waiters = [...(waiting.get(commandId) ?? [])]
      for (const end of waiters) end(reply)
      return waiters.length > 0
    },
    /** The customer does not want a purchase any more: its step waits no longer, and no further one begins here. */
    giveUp(purchaseId: string): void {
      unwanted.set(purchaseId, true)
      for (const [commandId, waiters] of [...waiting]) {
        if (commandId.startsWith(`${purchaseId}/`)) for (const end of [...waiters]) end()
      }
    },
    isUnwanted: (purchaseId: string): boolean => unwanted.has(purchaseId),
  }
}

export type OwnReplyWaiters = ReturnType<typeof createReplyWaiters>
