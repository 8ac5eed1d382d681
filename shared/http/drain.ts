import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

const pollMs = 50
/** A connection without a byte for so long is one that a client holds in reserve. */
const silentMs = 500
/** A turn that takes no longer leaves no time in which many connections come. */
const shortTurnMs = 0.5
const maxAcceptTurns = 2_000

/** Takes no more connections, and waits until those that are open have ended, or until they are `overdue`. */
export async function closeListener(
  server: Server,
  connections: Map<Socket, number>,
  overdue: () => boolean,
): Promise<void> {
  await acceptedAll(server)
  const closed = new Promise((resolve) => server.close(resolve))
  // The connection of a running request becomes idle later, and one that never had a request does not count as idle.
  const closing = setInterval(() => {
    server.closeIdleConnections()
    const silentSince = performance.now() - silentMs
    for (const [socket, since] of connections) {
      if (socket.bytesRead === 0 && since < silentSince) socket.destroy()
    }
    if (overdue()) server.closeAllConnections()
  }, pollMs)
  await closed
  clearInterval(closing)
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

/** The open connections, each with the time when it was made. */
export function trackConnections(server: Server): Map<Socket, number> {
  const connections = new Map<Socket, number>()
  server.on('connection', (socket: Socket) => {
    connections.set(socket, performance.now())
    socket.once('close', () => connections.delete(socket))
  })
  return connections
}
