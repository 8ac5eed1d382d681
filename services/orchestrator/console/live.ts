import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStream, ServerEvent } from '../../../shared/http/sse.ts'

type Shared<T> = { latest: Promise<T>; readAt: number; watchers: number }

/**
 * Live views of what has no events of its own. All who watch one thing share its readings: it is read once in
 * `everyMs`, however many watch, and not at all when nobody does.
 */
export function createLive<T>({
  event,
  everyMs,
  read,
  isEnd = () => false,
}: {
  event: string
  everyMs: number
  read: (key: string) => Promise<T>
  /** Whether nothing can change any more: the stream then ends. */
  isEnd?: (value: T) => boolean
}) {
  const watched = new Map<string, Shared<T>>()

  function current(key: string): Promise<T> {
    const shared = watched.get(key)
    if (!shared) return read(key)
    if (Date.now() - shared.readAt < everyMs) return shared.latest
    shared.readAt = Date.now()
    shared.latest = read(key)
    return shared.latest
  }

  function enter(key: string): Disposable {
    const shared = watched.get(key) ?? { latest: read(key), readAt: Date.now(), watchers: 0 }
    shared.watchers += 1
    watched.set(key, shared)
    return {
      [Symbol.dispose]() {
        shared.watchers -= 1
        if (shared.watchers === 0) watched.delete(key)
      },
    }
  }

  async function* changes(key: string, first: T, signal: AbortSignal) {
    using _watching = enter(key)
    let value: T | undefined = first
    let shown = ''
    while (!signal.aborted) {
      const text = JSON.stringify(value, withoutClock)
      if (value !== undefined && text !== shown) {
        shown = text
        yield { id: Date.now(), event, data: value } satisfies ServerEvent<T>
        if (isEnd(value)) return
      }
      const woken = await sleep(everyMs, true, { signal }).catch(() => false)
      if (!woken) return
      // What cannot be read now is read the next time; the client sees that nothing changes.
      value = await current(key).catch(() => undefined)
    }
  }

  return {
    watched: () => watched.size,

    /** Throws what the first reading throws. A client that comes again after the end gets null. */
    async watch(key: string, signal: AbortSignal, seen?: number): Promise<EventStream<T>> {
      const first = await current(key)
      if (seen !== undefined && isEnd(first)) return null
      return changes(key, first, signal)
    },
  }
}

/** The moment of a reading is no change. */
function withoutClock(this: unknown, key: string, value: unknown): unknown {
  return key === 'at' && typeof this === 'object' && this !== null && 'per_minute' in this
    ? undefined
    : value
}
