/** However many connections come, no request waits for them longer than this. */
const maxWaitMs = 50

/**
 * Where requests wait while new connections come in. Node accepts one connection in each turn of its event loop, so
 * requests that fill the turns with work keep a crowd out for seconds: of 128 who came at once the last were let in
 * after 1 s. As long as each turn brings one more connection, the requests wait, and the turns are short.
 */
export function createLobby(now: () => number = () => performance.now()) {
  const waiting: (() => void)[] = []
  let came = false
  let since = 0

  function turn(): void {
    if (came && now() - since < maxWaitMs) {
      came = false
      setImmediate(turn)
      return
    }
    came = false
    for (const begin of waiting.splice(0)) begin()
  }

  return {
    /** A connection was accepted. */
    connected(): void {
      came = true
    },
    /** Begins a request, at once unless connections are coming in. */
    enter(begin: () => void): void {
      if (!came && waiting.length === 0) {
        begin()
        return
      }
      if (waiting.push(begin) > 1) return
      since = now()
      setImmediate(turn)
    },
  }
}

export type Lobby = ReturnType<typeof createLobby>
