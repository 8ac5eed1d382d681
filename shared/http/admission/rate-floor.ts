import type { IncomingMessage } from 'node:http'

export type RateFloor = {
  /** How long a client may keep the server waiting at a stretch. */
  graceMs: number
  /** What it must send, on average, to be granted the grace again. */
  bytesPerSecond: number
}

/** The rule, for the answer to a client that broke it. */
export function ruleOf({ graceMs, bytesPerSecond }: RateFloor): string {
  return `${bytesPerSecond} bytes a second, ${graceMs / 1_000} s at a stretch`
}

/**
 * Calls `tooSlow` once when a client sends its body more slowly than the floor. The client's credit begins at the
 * grace; waiting for it uses the credit up, its bytes earn it back, and there is never more than the grace. Only time
 * in which the server would read counts: while it holds the client back (the request is paused) nothing does. Begin to
 * watch after the request has its reader.
 */
export function watchRate(
  request: IncomingMessage,
  { graceMs, bytesPerSecond }: RateFloor,
  tooSlow: () => void,
): Disposable {
  let creditMs = graceMs
  let waitingSince: number | undefined
  let timer: NodeJS.Timeout | undefined

  function wait(): void {
    if (waitingSince !== undefined) return
    waitingSince = performance.now()
    timer = setTimeout(expire, creditMs)
  }

  function stopWaiting(): void {
    if (waitingSince === undefined) return
    creditMs = Math.max(0, creditMs - (performance.now() - waitingSince))
    waitingSince = undefined
    clearTimeout(timer)
  }

  /** When this process was busy, bytes may have come that it has not read yet: it reads them first. */
  function expire(): void {
    const expired = timer
    setImmediate(() => {
      if (waitingSince !== undefined && timer === expired) tooSlow()
    })
  }

  function received(chunk: Buffer): void {
    stopWaiting()
    creditMs = Math.min(graceMs, creditMs + (chunk.length / bytesPerSecond) * 1_000)
    if (!request.isPaused()) wait()
  }

  const listeners = { data: received, resume: wait, end: stopWaiting }
  for (const [event, listener] of Object.entries(listeners)) request.on(event, listener)
  return {
    [Symbol.dispose]() {
      stopWaiting()
      for (const [event, listener] of Object.entries(listeners)) request.off(event, listener)
    },
  }
}
