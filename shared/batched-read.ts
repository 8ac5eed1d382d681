/** Bounds what one read asks for. */
const maxBatch = 100

/**
 * Reads one value per id, all that are asked for while a read is under way together in the next one. So a value is
 * never older than its question, and a crowd costs one read at a time. Of an id that `load` leaves out the value is
 * undefined.
 */
export function createBatchedRead<V>(load: (ids: string[]) => Promise<Map<string, V>>) {
  const waiting = new Map<string, PromiseWithResolvers<V | undefined>>()
  let reading = false

  async function readAll(): Promise<void> {
    reading = true
    while (waiting.size > 0) {
      const batch = new Map([...waiting].slice(0, maxBatch))
      for (const id of batch.keys()) waiting.delete(id)
      try {
        const values = await load([...batch.keys()])
        for (const [id, answer] of batch) answer.resolve(values.get(id))
      } catch (error) {
        for (const answer of batch.values()) answer.reject(error)
      }
    }
    reading = false
  }

  return (id: string): Promise<V | undefined> => {
    const answer = waiting.get(id) ?? Promise.withResolvers<V | undefined>()
    waiting.set(id, answer)
    if (!reading) void readAll()
    return answer.promise
  }
}
