import { AppError } from '../../shared/runtime/errors.ts'
import { createTurns } from '../../shared/runtime/turns.ts'

/** A few seconds of hashing; a later request is better refused than delayed. */
const defaultMaxWaiting = 128
const defaultMaxWaitingPerClient = 32

type Limits = {
  /** How much work runs at once. */
  concurrency: number
  maxWaiting?: number
  maxWaitingPerClient?: number
}

/**
 * Runs costly work, a bounded number at once. What waits is bounded in all and per client, and clients take turns: one
 * that asks a hundred times delays another by one piece of work, not by a hundred.
 */
export function createWorkTurns({
  concurrency,
  maxWaiting = defaultMaxWaiting,
  maxWaitingPerClient = defaultMaxWaitingPerClient,
}: Limits) {
  const turns = createTurns<() => void>({ limit: concurrency })

  async function enter(client: string): Promise<void> {
    if (turns.mayStart(client)) {
      turns.start(client)
      return
    }
    if (turns.counts().waiting >= maxWaiting || turns.waitingOf(client) >= maxWaitingPerClient) {
      throw new AppError('unavailable', 'too many people log in just now')
    }
    await new Promise<void>((go) => turns.wait(client, go))
  }

  return {
    /** Throws AppError('unavailable') when too much waits already. */
    async take<T>(client: string, work: () => Promise<T>): Promise<T> {
      await enter(client)
      try {
        return await work()
      } finally {
        turns.end(client)
        turns.startNext()?.()
      }
    },
  }
}
