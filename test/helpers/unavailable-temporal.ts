import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { connectToTemporal } from '../../temporal/connect.ts'

/*
 * A process that connects to a server, asks it something while it is unavailable, closes the connection meanwhile, and
 * ends when nothing is left to do.
 */
const head = { ':status': 200, 'content-type': 'application/grpc' }
const emptyAnswer = Buffer.alloc(5)

let calls = 0
const server = createServer()
server.on('stream', (stream) => {
  calls += 1
  if (calls > 1) {
    stream.respond({ ...head, 'grpc-status': '14' }, { endStream: true })
    return
  }
  stream.respond(head, { waitForTrailers: true })
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(emptyAnswer)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo

const connection = await connectToTemporal(`127.0.0.1:${port}`)
const asking = connection.workflowService.getClusterInfo({}).then(
  () => 'answered',
  () => 'refused',
)
while (calls < 3) await once(server, 'stream')
await connection.close()
server.close()
process.stdout.write(JSON.stringify({ outcome: await asking }))
