import { useEffect, useState } from 'preact/hooks'
import type { Problem } from '../api/client.ts'

type Answer<T> = { data?: T; error?: unknown }

export type Loaded<T> =
  | { state: 'loading' }
  | { state: 'ready'; data: T }
  | { state: 'failed'; problem: Problem | undefined }

/**
 * Asks the API when a page is shown, and again when `key` changes; an answer to an older question is dropped. Without a
 * connection the problem is undefined.
 */
export function useLoad<T>(
  key: string,
  ask: (signal: AbortSignal) => Promise<Answer<T>>,
): Loaded<T> & { reload: () => void } {
  const [loaded, setLoaded] = useState<Loaded<T>>({ state: 'loading' })
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    const gone = new AbortController()
    const settle = (next: Loaded<T>) => {
      if (!gone.signal.aborted) setLoaded(next)
    }
    ask(gone.signal).then(
      ({ data, error }) =>
        settle(
          data === undefined
            ? { state: 'failed', problem: error as Problem | undefined }
            : { state: 'ready', data },
        ),
      () => settle({ state: 'failed', problem: undefined }),
    )
    return () => gone.abort()
  }, [key, turn])
  return { ...loaded, reload: () => setTurn((now) => now + 1) }
}
