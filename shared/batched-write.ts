import { setTimeout as sleep } from 'node:timers/promises'
import { isDeterministic } from './faults.ts'

type Waiting<T, R> = { item: T; answer: PromiseWithResolvers<R> }

/** Bounds what one statement carries. */
const maxBatch = 200

/**
 * Writes all that is asked for while a write is under way together in the next one: a crowd costs one statement at a
 * time, and who comes alone waits for nobody. `write` answers one result per item, in their order.
 *
 * When a batch fails for what is in it, each item is written alone, so that a bad one fails for itself only. A
 * fault of the infrastructure fails all of them. `lingerMs`: how long the first one waits for more to come.
 */
export function createBatchedWrite<T, R>(
  write: (items: T[]) => Promise<R[]>,
  { lingerMs = 0 }: { lingerMs?: number } = {},
): (item: T) => Promise<R> {
  let waiting: Waiting<T, R>[] = []
  let writing = false

  async function writeOne({ item, answer }: Waiting<T, R>): Promise<void> {
    try {
      const [result] = await write([item])
      answer.resolve(result as R)
    } catch (error) {
      answer.reject(error)
    }
  }

  async function writeBatch(batch: Waiting<T, R>[]): Promise<void> {
    try {
      const results = await write(batch.map(({ item }) => item))
      for (const [index, { answer }] of batch.entries()) answer.resolve(results[index] as R)
    } catch (error) {
      if (batch.length === 1 || !isDeterministic(error)) {
        for (const { answer } of batch) answer.reject(error)
        return
      }
      for (const one of batch) await writeOne(one)
    }
  }

  async function writeAll(): Promise<void> {
    writing = true
    if (lingerMs > 0) await sleep(lingerMs)
    while (waiting.length > 0) {
      const batch = waiting.slice(0, maxBatch)
      waiting = waiting.slice(maxBatch)
      await writeBatch(batch)
    }
    writing = false
  }

  return (item) => {
    const answer = Promise.withResolvers<R>()
    waiting.push({ item, answer })
    if (!writing) void writeAll()
    return answer.promise
  }
}
