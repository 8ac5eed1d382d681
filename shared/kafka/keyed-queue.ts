type Task = { run: () => Promise<void>; bytes: number }

/**
 * Runs tasks of different keys side by side and tasks of one key in the order they came. At most `concurrency`
 * run at once and at most twice as many are held in all, and no more once they have `maxBytes`, so a slow consumer
 * slows its source instead of filling the memory.
 */
export function createKeyedQueue(concurrency: number, maxBytes = 32 * 1_048_576) {
  const capacity = concurrency * 2
  const lanes = new Map<string, Task[]>()
  const readyKeys: string[] = []
  let held = 0
  let heldBytes = 0
  let running = 0
  let waiters: (() => void)[] = []

  function wake() {
    const woken = waiters
    waiters = []
    for (const resume of woken) resume()
  }

  function schedule() {
    while (running < concurrency) {
      const key = readyKeys.shift()
      if (key === undefined) return
      const task = lanes.get(key)?.shift()
      if (!task) continue
      running++
      void runTask(key, task)
    }
  }

  async function runTask(key: string, { run, bytes }: Task) {
    try {
      await run()
    } finally {
      running--
      held--
      heldBytes -= bytes
      const lane = lanes.get(key)
      if (lane && lane.length > 0) readyKeys.push(key)
      else lanes.delete(key)
      wake()
      schedule()
    }
  }

  return {
    /** Takes a task that handles its own errors: one that throws is an uncaught rejection. `bytes`: what it holds. */
    add(key: string, run: () => Promise<void>, bytes = 0): void {
      const task = { run, bytes }
      held++
      heldBytes += bytes
      const lane = lanes.get(key)
      if (lane) {
        lane.push(task)
        return
      }
      lanes.set(key, [task])
      readyKeys.push(key)
      schedule()
    },
    get full() {
      return held >= capacity || heldBytes >= maxBytes
    },
    get size() {
      return held
    },
    /** Resolves when a task has ended; for waiting while `full` or until `size` is 0. */
    changed(): Promise<void> {
      return new Promise((resolve) => waiters.push(resolve))
    },
  }
}
