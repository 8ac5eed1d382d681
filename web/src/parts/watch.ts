import { useEffect, useState } from 'preact/hooks'
import { api, type Problem, type Schemas } from '../api/client.ts'
import { refreshSession, signedIn } from '../api/session.ts'

export type Purchase = Schemas['Purchase']
export type Step = Schemas['PurchaseStep']

export type Watched = {
  purchase?: Purchase
  problem?: Problem | undefined
  /** `lost`: the connection is gone, and is being tried again. */
  stream: 'connecting' | 'live' | 'lost' | 'ended'
}

const firstPauseMs = 500
const longestPauseMs = 8_000
/** What a stream does not tell: that a purchase is being cancelled, or needs an operator. */
const readEveryMs = 5_000

export function hasEnded({ status }: Pick<Purchase, 'status'>): boolean {
  return !['ACCEPTED', 'PROCESSING', 'CANCELLING'].includes(status)
}

/** Both have each step once. With its first step the shop moves a purchase on, which the stream does not tell. */
function withStep(purchase: Purchase, step: Step): Purchase {
  const others = purchase.steps.filter(({ name }) => name !== step.name)
  return {
    ...purchase,
    status: purchase.status === 'ACCEPTED' ? 'PROCESSING' : purchase.status,
    steps: [...others, step].toSorted((a, b) => a.at.localeCompare(b.at)),
  }
}

/** Follows a purchase until it ends or `signal` is aborted. A stream that breaks is opened again, later each time. */
function follow(id: string, tell: (change: (now: Watched) => Watched) => void, gone: AbortSignal) {
  let source: EventSource | undefined
  let pauseMs = firstPauseMs
  let retry: ReturnType<typeof setTimeout> | undefined
  let ended = false

  async function read(): Promise<void> {
    const { data, error, response } = await api
      .GET('/purchases/{id}', { params: { path: { id } }, signal: gone })
      .catch(() => ({ data: undefined, error: undefined, response: undefined }))
    if (gone.aborted || ended) return
    if (data) {
      if (hasEnded(data)) end(data)
      // A step that the stream brought meanwhile stays.
      else tell((now) => ({ ...now, purchase: (now.purchase?.steps ?? []).reduce(withStep, data) }))
    } else if (response && response.status < 500) {
      stop()
      tell((now) => ({ ...now, problem: error as Problem, stream: 'ended' }))
    } else if (source?.readyState !== EventSource.OPEN) {
      tell((now) => ({ ...now, stream: 'lost' }))
    }
  }

  function end(purchase: Purchase): void {
    ended = true
    stop()
    tell(() => ({ purchase, stream: 'ended' }))
  }

  function open(): void {
    source = new EventSource(`/api/v1/purchases/${id}/events`)
    source.addEventListener('open', () => {
      pauseMs = firstPauseMs
      tell((now) => ({ ...now, stream: 'live' }))
    })
    source.addEventListener('step', ({ data }) => {
      const step = JSON.parse(data) as Step
      tell((now) => (now.purchase ? { ...now, purchase: withStep(now.purchase, step) } : now))
    })
    source.addEventListener('end', ({ data }) => end(JSON.parse(data) as Purchase))
    source.addEventListener('error', () => {
      if (ended || gone.aborted) return
      tell((now) => ({ ...now, stream: 'lost' }))
      // The browser opens a stream that broke by itself, but not one that was refused: then the session is continued
      // first.
      if (source?.readyState !== EventSource.CLOSED) return
      clearTimeout(retry)
      retry = setTimeout(reopen, pauseMs)
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
    })
  }

  async function reopen(): Promise<void> {
    await refreshSession()
    if (gone.aborted || ended || signedIn.value !== true) return
    await read()
    if (!ended && !gone.aborted) open()
  }

  const reading = setInterval(() => void read(), readEveryMs)
  function stop(): void {
    clearInterval(reading)
    clearTimeout(retry)
    source?.close()
  }
  gone.addEventListener('abort', stop)
  void read().then(() => {
    if (!ended && !gone.aborted) open()
  })
}

/** A purchase as it goes on. */
export function useWatch(id: string): Watched {
  const [watched, setWatched] = useState<Watched>({ stream: 'connecting' })
  useEffect(() => {
    const gone = new AbortController()
    setWatched({ stream: 'connecting' })
    follow(id, setWatched, gone.signal)
    return () => gone.abort()
  }, [id])
  return watched
}
