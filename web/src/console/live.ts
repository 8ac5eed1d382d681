import { useEffect, useState } from 'preact/hooks'
import { operate } from './client.ts'

/** `lost`: the connection is gone, and is being tried again. `ended`: the last event has come. */
export type Stream = 'connecting' | 'live' | 'lost' | 'ended'

const firstPauseMs = 500
const longestPauseMs = 8_000

const never = () => false

type Listener = {
  /** Says whether it was the last one. */
  data: (text: string) => boolean
  stream: (stream: Stream) => void
}

/**
 * Follows a stream of events until its last one has come, or `gone` is aborted. The browser opens a stream that broke by itself, but not one that
 * was refused, as while a service restarts: that is done here, later each time. A session that has ended leads to the
 * sign-in.
 */
function follow(path: string, event: string, gone: AbortSignal, tell: Listener): void {
  let source: EventSource | undefined
  let retry: ReturnType<typeof setTimeout> | undefined
  let pauseMs = firstPauseMs

  function open(): void {
    source = new EventSource(`/api/v1${path}`)
    source.addEventListener(event, ({ data }) => {
      if (!tell.data(data)) return
      source?.close()
      tell.stream('ended')
    })
    source.addEventListener('open', () => {
      pauseMs = firstPauseMs
      tell.stream('live')
    })
    source.addEventListener('error', () => {
      tell.stream('lost')
      if (source?.readyState !== EventSource.CLOSED || gone.aborted) return
      retry = setTimeout(() => void reopen(), pauseMs)
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
    })
  }

  async function reopen(): Promise<void> {
    const { error } = await operate('GET', '/console/session')
    if (gone.aborted) return
    if (error?.status === 401) location.reload()
    else open()
  }

  gone.addEventListener('abort', () => {
    clearTimeout(retry)
    source?.close()
  })
  open()
}

/** The newest event of a stream, and how the stream is. `isLast` must be one function for all calls. */
export function useEvents<T>(
  path: string,
  event: string,
  isLast: (data: T) => boolean = never,
): { data: T | undefined; stream: Stream } {
  const [data, setData] = useState<T>()
  const [stream, setStream] = useState<Stream>('connecting')
  useEffect(() => {
    const gone = new AbortController()
    setData(undefined)
    setStream('connecting')
    follow(path, event, gone.signal, {
      data(text) {
        const parsed = JSON.parse(text) as T
        setData(parsed)
        return isLast(parsed)
      },
      stream: setStream,
    })
    return () => gone.abort()
  }, [path, event, isLast])
  return { data, stream }
}

/** What is said of a stream beside the title of its page. */
export const streamText: Record<Stream, string> = {
  connecting: 'connecting …',
  live: 'live',
  lost: 'connecting again …',
  ended: '',
}

/** A moment as text: the time of day, with the date when that is another one. */
export function timeText(iso: string | null | undefined): string {
  if (!iso) return '–'
  const at = new Date(iso)
  const day = at.toDateString() === new Date().toDateString() ? '' : `${at.toLocaleDateString()} `
  return `${day}${at.toLocaleTimeString()}`
}

/** How long ago a moment was, in the largest fitting unit. */
export function ageText(iso: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(iso)) / 1_000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800
    ? `${Math.round(seconds / 3_600)} h`
    : `${Math.round(seconds / 86_400)} d`
}
