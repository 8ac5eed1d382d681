import type { AnyReply } from '../../../shared/contracts/commands.ts'

/** The steps that wait in this process, by the id of their command. */
export function createReplyWaiters() {
  const waiting = new Map<string, Set<(reply?: AnyReply) => void>>()

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
  }
}
