import '../../shared/telemetry/start.ts'

import { get } from 'node:http'
import { pino } from 'pino'
import { newId } from '../../shared/contracts/ids.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { createAttempts, readMessage } from '../../shared/kafka/attempts.ts'
import { withTrace } from '../../shared/messaging/traces.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { tracing } from '../../shared/runtime/tracing.ts'
import { startThingServer } from './thing-server.ts'

/*
 * A process that calls itself in one span, which TRACEPARENT has begun: by HTTP, by gRPC, and with a message whose first
 * attempt fails. Then it handles the same message as one that was sent two minutes ago, and at last it is called by HTTP
 * from outside of every trace.
 */
const logger = pino({ level: 'silent' })
const open = new AsyncDisposableStack()
const things = open.adopt(await startThingServer(), (it) => it.close())
const server = open.adopt(
  await startGrpcServer({
    ...{ service: 'auth', host: '127.0.0.1', port: 0, logger },
    handlers: {
      Authenticate: async () => ({ account_id: newId(), email_verified: true, roles: [] }),
      GetDeliveries: async () => ({ deliveries: [] }),
    },
  }),
  (it) => it.close(),
)
const auth = open.adopt(connectGrpc('auth', `127.0.0.1:${server.port}`), (it) => it.close())

let attempts = 0
const { finish } = createAttempts(
  {
    group: 'tests',
    async handle() {
      attempts += 1
      if (attempts === 1) throw new Error('not yet')
    },
  },
  {
    ...{ logger, metrics: createMetrics('traced'), stopping: new AbortController().signal },
    publish: () => Promise.reject(new Error('nothing is poison')),
  },
)

async function handle(headers: Record<string, string>, sentAt: number): Promise<void> {
  const sent = { key: null, value: null, headers, offset: '7', timestamp: `${sentAt}` }
  await finish(readMessage('replies', 0, sent), sent)
}

const callThings = () =>
  new Promise((resolve, reject) => {
    get(`${things.url}/api/v1/things/${newId()}`, (answer) => {
      answer.resume().once('end', resolve)
    }).once('error', reject)
  })

let headers: Record<string, string> = { command: 'reserveStock', purchase_id: newId() }
await tracing()?.span('work', { parent: process.env.TRACEPARENT }, async () => {
  await callThings()
  await auth.Authenticate({ access_token: 'a token' })
  headers = withTrace({ headers }).headers
  await handle(headers, Date.now())
})
await handle(headers, Date.now() - 120_000)
await callThings()

await open.disposeAsync()
await tracing()?.close()
process.stdout.write(JSON.stringify(headers))
