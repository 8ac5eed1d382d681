import { connect } from 'node:net'

/** Throws unless something accepts connections on a port of this machine. */
export function probeTcp(port: number): Promise<void> {
  return new Promise((done, fail) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 1000 })
    const give = (error?: Error) => {
      socket.destroy()
      if (error) fail(error)
      else done()
    }
    socket.once('connect', () => give())
    socket.once('timeout', () => give(new Error(`port ${port} does not answer`)))
    socket.once('error', give)
  })
}

/** Throws unless a GET answers 2xx. */
export async function probeHttp(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`${url} answers ${response.status}`)
}
