import { setTimeout as sleep } from 'node:timers/promises'
import DataLoader from 'dataloader'

/** Bounds what one read asks for. */
const maxBatchSize = 100

/**
 * Reads one value per id: all ids that are asked for while a read is under way go into the next one, 100 at most. So a
 * value is never older than its question, and many callers cost one read at a time. An id that `load` leaves out has
 * the value undefined; when `load` throws, every caller of that batch gets its error. `lingerMs`: how long a read waits
 * for more ids, where nobody waits for the answer.
 */
export function createBatchedRead<V>(
  load: (ids: string[]) => Promise<Map<string, V>>,
  { lingerMs = 0 } = {},
): (id: string) => Promise<V | undefined> {
  let turn = Promise.resolve()
  let reading: Promise<unknown> = turn
  const loader = new DataLoader<string, V | undefined>(
    async (ids) => {
      // From here on, the same id is a new read.
      loader.clearAll()
      const loaded = load([...ids])
      reading = loaded.catch(() => undefined)
      const values = await loaded
      return ids.map((id) => values.get(id))
    },
    {
      maxBatchSize,
      batchScheduleFn(dispatch) {
        turn = turn.then(async () => {
          if (lingerMs > 0) await sleep(lingerMs)
          dispatch()
          await reading
        })
      },
    },
  )
  return (id) => loader.load(id)
}
