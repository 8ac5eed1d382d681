import type { Server } from 'node:http'
import { type Socket, Server as TcpServer } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

const pollMs = 50
/** A connection without a request for so long is one that a client holds in reserve. */
const silentMs = 500
/** A turn that takes no longer leaves no time in which many connections come. */
const shortTurnMs = 0.5
const maxAcceptTurns = 2_000

/** What a connection does: how many requests run on it, and since when, and after how many bytes, none does. */
type Use = { running: number; since: number; bytesRead: number }

/**
 * Takes no more connections, and waits until those that are open have ended, or until they are `overdue`. From `onClosed`
 * on the caller closes each connection with its next answer. One that waits for a request is given time to get it: a
 * client that sends one at the moment in which its connection is closed does not know whether it was read.
 */
export async function closeListener(
  server: Server,
  connections: Map<Socket, Use>,
  { onClosed, overdue }: { onClosed(): void; overdue(): boolean },
): Promise<void> {
  await acceptedAll(server)
  // Not the close of HTTP, which also closes every connection that has no request just now.
  const closed = new Promise<void>((resolve) => {
    TcpServer.prototype.close.call(server, () => resolve())
  })
  onClosed()
  function closeSilent(): void {
    const silentSince = performance.now() - silentMs
    for (const [socket, { running, since, bytesRead }] of connections) {
      const silent = running === 0 && socket.bytesRead === bytesRead && since < silentSince
      if (silent) socket.destroy()
    }
    if (overdue()) server.closeAllConnections()
  }
  // After this turn has read what came: a stalled process would take a request that waits for silence.
  const closing = setInterval(() => setImmediate(closeSilent), pollMs)
  await closed
  clearInterval(closing)
  server.close()
}

/**
 * Waits for a turn of the event loop that brings no connection and is short: connections that come while a turn handles
 * requests wait until the next. The kernel resets those that it has accepted and this process has not, and Traefik does
 * not send a request again that it began to send.
 */
async function acceptedAll(server: Server): Promise<void> {
  /** Or may have come. */
  let came = true
  const note = () => {
    came = true
  }
  server.on('connection', note)
  for (let turns = 0; came && turns < maxAcceptTurns; turns++) {
    came = false
    const startedAt = performance.now()
    await turn()
    came ||= performance.now() - startedAt > shortTurnMs
  }
  server.off('connection', note)
}

/** The open connections, and what each does. */
export function trackConnections(server: Server): Map<Socket, Use> {
  const connections = new Map<Socket, Use>()
  server.on('connection', (socket: Socket) => {
    connections.set(socket, { running: 0, since: performance.now(), bytesRead: 0 })
    socket.once('close', () => connections.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    const use = connections.get(socket)
    if (!use) return
    use.running += 1
    response.once('close', () => {
      use.running -= 1
      use.since = performance.now()
      use.bytesRead = socket.bytesRead
    })
  })
  return connections
}
