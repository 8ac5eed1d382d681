/**
 * Runs tasks of different keys side by side and tasks of one key in the order they came. At most `concurrency`
 * run at once and at most twice as many are held in all, so a slow consumer slows its source instead of filling
 * the memory.
 */
export function createKeyedQueue(concurrency: number) {
  const capacity = concurrency * 2
  const lanes = new Map<string, (() => Promise<void>)[]>()
  const readyKeys: string[] = []
  let held = 0
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

  async function runTask(key: string, task: () => Promise<void>) {
    try {
      await task()
    } finally {
      running--
      held--
      const lane = lanes.get(key)
      if (lane && lane.length > 0) readyKeys.push(key)
      else lanes.delete(key)
      wake()
      schedule()
    }
  }

  return {
    /** Takes a task that handles its own errors: one that throws is an uncaught rejection. */
    add(key: string, task: () => Promise<void>): void {
      held++
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
      return held >= capacity
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
