import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A proxy between a client and a server, so that a test can cut the connection. */
export async function createTcpProxy(target: { host: string; port: number }) {
  const sockets = new Set<Socket>()
  let down = false

  const server = createServer((client) => {
    if (down) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(target)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.pipe(other)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  function breakAll() {
    for (const socket of sockets) socket.resetAndDestroy()
  }

  return {
    port: (server.address() as AddressInfo).port,
    /** Breaks every connection and refuses new ones. */
    cut() {
      down = true
      breakAll()
    },
    heal() {
      down = false
    },
    async close() {
      breakAll()
      server.close()
      await once(server, 'close')
    },
  }
}
