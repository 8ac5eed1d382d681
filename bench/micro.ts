import { Registry } from 'prom-client'
import { Bench } from 'tinybench'
import { formatTable } from '../scripts/stack/table.ts'
import { createCachedReader } from '../shared/cache/read-through.ts'
import { connectRedis } from '../shared/cache/redis.ts'
import type { Reply } from '../shared/contracts/commands.ts'
import type { CommandHeaders } from '../shared/contracts/envelope.ts'
import { commandId, newId, purchaseWorkflowId, traceparent } from '../shared/contracts/ids.ts'
import type { Sql } from '../shared/database/sql.ts'
import { createKeyedQueue } from '../shared/kafka/keyed-queue.ts'
import { createOffsetTracker } from '../shared/kafka/offsets.ts'
import { createPublisher } from '../shared/kafka/publisher.ts'
import type { Message, Outgoing } from '../shared/messaging/bus.ts'
import type { Command } from '../shared/messaging/command-handler.ts'
import { claim, doOnce } from '../shared/messaging/inbox.ts'
import {
  parseEvent,
  parseHeaders,
  parseReply,
  parseRequest,
  sendCommand,
} from '../shared/messaging/messages.ts'
import { createLogger } from '../shared/runtime/logger.ts'

/*
 * The modules through which every message goes, each alone and without engines, to see what a change of one costs.
 * Compare two runs on one machine; a single figure says little.
 */

const purchaseId = newId()
const lines = [1, 2].map((quantity) => ({
  product_id: newId(),
  quantity,
  name: `Product ${quantity}`,
  unit_price: 1_000,
}))
const headers: CommandHeaders = {
  command: 'createOrder',
  command_id: commandId(purchaseId, 'create-order'),
  purchase_id: purchaseId,
  workflow_id: purchaseWorkflowId(purchaseId),
  run_id: newId(),
  activity_id: 'create-order',
  traceparent: traceparent(purchaseId),
  deadline: Date.now() + 3_600_000,
}
const order = { customer_id: newId(), lines, amount: 3_000, currency_code: 'VND' }
const accepted = { ...order, purchase_id: purchaseId, payment_method: 'sim_ok' }
const done: Reply<'createOrder'> = { outcome: 'done' }

const message = (fields: Record<string, unknown>, body: unknown): Message => ({
  topic: 'order-commands',
  partition: 0,
  offset: '1',
  key: purchaseId,
  headers: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)])),
  value: JSON.stringify(body),
  timestamp: 0,
})
const request = message(headers, order)
const reply = message(headers, done)
const event = message({ event: 'purchaseAccepted' }, accepted)

const command: Command<'createOrder'> = {
  name: 'createOrder',
  commandId: headers.command_id,
  purchaseId,
  deadline: headers.deadline,
  body: order,
}

/** A database that answers at once, so that only the work of the inbox is measured. */
const inboxOf = (inserted: 0 | 1): Sql => ({
  $executeRaw: async () => inserted,
  $queryRaw: async <T>() => [{ reply: done, undone: false }] as T,
})
const fresh = inboxOf(1)
const repeated = inboxOf(0)

const publish = createPublisher({ sendBatch: async () => [] }, '')
const swallow = async (_topic: string, _message: Outgoing) => {}
const queue = createKeyedQueue(64)

const logger = createLogger('micro', 'silent')
const registry = new Registry()
/** Nothing listens there: only the work before the call to Redis is measured. */
const redis = connectRedis(['127.0.0.1:1'], { logger, registry })
const product = { id: newId(), name: 'Product' }
const reader = createCachedReader({
  redis,
  name: 'micro',
  fields: { id: 'string', name: 'string' },
  load: async () => product,
  filter: { ask: async (id) => (id === product.id ? 'maybe' : 'absent') },
  logger,
  registry,
  memoryMs: 600_000,
})

const bench = new Bench({ time: 500 })
  .add('envelope: parse headers', () => void parseHeaders(request))
  .add('envelope: write a command', () => sendCommand(swallow, 'createOrder', headers, order))
  .add('contract: parse a command', () => void parseRequest('createOrder', request))
  .add('contract: parse a reply', () => void parseReply('createOrder', reply))
  .add('contract: parse an event', () => void parseEvent(event))
  .add('inbox: a first delivery', async () => void (await doOnce(fresh, command, async () => done)))
  .add('inbox: a repeat', async () => void (await claim(repeated, command)))
  .add('publisher: 100 messages', async () => {
    const outgoing = { key: purchaseId, value: request.value, headers: request.headers }
    await Promise.all(Array.from({ length: 100 }, () => publish('order-commands', outgoing)))
  })
  .add('cache: a row in memory', async () => void (await reader.read(product.id)))
  .add('cache: an id that does not exist', async () => void (await reader.read(newId())))
  .add('keyed queue: 100 tasks of 10 keys', async () => {
    for (let task = 0; task < 100; task++) queue.add(`${task % 10}`, async () => {})
    while (queue.size > 0) await queue.changed()
  })
  .add('offset tracker: 100 out of order', () => {
    const tracker = createOffsetTracker()
    for (let offset = 0n; offset < 100n; offset++) tracker.started(offset)
    for (let offset = 99n; offset >= 0n; offset--) tracker.finished(offset)
    tracker.committable()
  })

await bench.run()
const rows = bench.tasks.map(({ name, result }) => {
  if (result.state !== 'completed') throw new Error(`${name} did not complete`)
  const { latency } = result
  return [
    name,
    `${(latency.p50 * 1_000).toFixed(2)}`.padStart(9),
    `${(latency.p99 * 1_000).toFixed(2)}`.padStart(9),
    `± ${latency.rme.toFixed(1)} %`,
  ]
})
console.log(formatTable([['', '   p50 µs', '   p99 µs', ''], ...rows]))
// Otherwise the connection would retry without end.
process.exit()
