type Options = {
  /** How much may run at once. */
  limit: number
  /** How much of it may run for one client now. The whole limit by default. */
  perClient?: () => number
  /** Who is next: `round` gives each client one turn in a round, `fewest` prefers the client with the least running. */
  first?: 'round' | 'fewest'
}

/**
 * Decides whose work runs next: clients take turns, and within one client the order of arrival holds. It only counts
 * and chooses; its users decide how their work waits, for how long, and how much of it may wait.
 */
export function createTurns<T>({ limit, perClient = () => limit, first = 'round' }: Options) {
  /** What waits, by client. The order of the clients is the order of the round. */
  const queues = new Map<string, Set<T>>()
  const runningOf = new Map<string, number>()
  let running = 0
  let waiting = 0

  function mayStart(client: string): boolean {
    return running < limit && (runningOf.get(client) ?? 0) < perClient()
  }

  function start(client: string): void {
    running += 1
    runningOf.set(client, (runningOf.get(client) ?? 0) + 1)
  }

  function remove(client: string, item: T): boolean {
    const queue = queues.get(client)
    if (!queue?.delete(item)) return false
    waiting -= 1
    if (queue.size === 0) queues.delete(client)
    return true
  }

  function nextClient(): string | undefined {
    let chosen: string | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const client of queues.keys()) {
      const count = runningOf.get(client) ?? 0
      if (!mayStart(client) || count >= fewest) continue
      if (first === 'round' || count === 0) return client
      chosen = client
      fewest = count
    }
    return chosen
  }

  return {
    counts: () => ({ running, waiting }),
    waitingOf: (client: string): number => queues.get(client)?.size ?? 0,
    mayStart,
    /** Counts work of a client as running, until `end`. */
    start,

    end(client: string): void {
      running -= 1
      const left = (runningOf.get(client) ?? 0) - 1
      if (left > 0) runningOf.set(client, left)
      else runningOf.delete(client)
    },

    wait(client: string, item: T): void {
      queues.set(client, (queues.get(client) ?? new Set<T>()).add(item))
      waiting += 1
    },

    /** Whether it was waiting until now. */
    remove,

    /** Takes what is next out of its queue and counts it as running; undefined when nothing may start. */
    startNext(): T | undefined {
      const client = nextClient()
      const queue = client === undefined ? undefined : queues.get(client)
      if (client === undefined || !queue) return undefined
      const [item] = queue
      remove(client, item as T)
      // To the end of the round.
      if (queues.delete(client)) queues.set(client, queue)
      start(client)
      return item
    },

    /** The newest that waits in the longest queue, and the length of that queue. */
    newestOfLongest(): { item: T; length: number } | undefined {
      let longest = new Set<T>()
      for (const queue of queues.values()) if (queue.size > longest.size) longest = queue
      const item = [...longest].at(-1)
      return item && { item, length: longest.size }
    },
  }
}
