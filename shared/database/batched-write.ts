import { setTimeout as sleep } from 'node:timers/promises'
import { isOutage } from './failures.ts'

type Waiting<T, R> = { item: T; answer: PromiseWithResolvers<R> }

/** Bounds what one statement carries, in items and in bytes; an item that is larger goes alone. */
const maxBatch = 200
const maxBatchBytes = 2 * 1_048_576

/**
 * Collects items while a write is running, and writes them together in the next one: concurrent calls share statements,
 * and a single call does not wait. `write` returns one result per item, in their order. If a batch fails, each item is
 * written alone, so that a bad item fails alone. An outage fails all of them. `lingerMs`: how long the first item waits
 * for others. `bytesOf`: the approximate size of an item, for items that vary.
 */
export function createBatchedWrite<T, R>(
  write: (items: T[]) => Promise<R[]>,
  { lingerMs = 0, bytesOf = () => 0 }: { lingerMs?: number; bytesOf?: (item: T) => number } = {},
): (item: T) => Promise<R> {
  let waiting: Waiting<T, R>[] = []
  let writing = false

  function takeBatch(): Waiting<T, R>[] {
    let bytes = 0
    const end = waiting.findIndex(({ item }, index) => {
      bytes += bytesOf(item)
      return index > 0 && (index >= maxBatch || bytes > maxBatchBytes)
    })
    const batch = waiting.slice(0, end < 0 ? undefined : end)
    waiting = waiting.slice(batch.length)
    return batch
  }

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
      if (batch.length === 1 || isOutage(error)) {
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
      await writeBatch(takeBatch())
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
