import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { AppError } from '../../../shared/runtime/errors.ts'
import { createMetrics } from '../../../shared/runtime/metrics.ts'
import { createDeadLetters, type DeadLetters } from './dead-letters.ts'

describe('readings of dead letters', () => {
  const open = new AsyncDisposableStack()
  const metrics = createMetrics('test')
  let deadLetters: DeadLetters

  /** A broker that takes connections and does not answer. */
  before(async () => {
    const sockets = new Set<Socket>()
    const broker = createServer((socket) => sockets.add(socket.on('error', () => undefined)))
    broker.listen(0, '127.0.0.1')
    await once(broker, 'listening')
    open.defer(() => {
      for (const socket of sockets) socket.destroy()
      broker.close()
    })
    const { port } = broker.address() as AddressInfo
    deadLetters = createDeadLetters({
      config: { KAFKA_BROKERS: [`127.0.0.1:${port}`], KAFKA_TOPIC_PREFIX: '' },
      metrics,
    })
  })

  after(() => open.disposeAsync())

  const read = (operator: string) =>
    deadLetters.find(operator, { partition: '0', offset: '0' }).catch((error: unknown) => error)

  /** Whether it was refused at once; another one waits for the broker. */
  const refusal = (reading: Promise<unknown>) =>
    Promise.race([reading, new Promise((resolve) => setImmediate(resolve))])

  it('are shared by operators: one has half of them at most, and others find room', async () => {
    const [first, second, third] = [read('mai'), read('mai'), read('mai')]
    const ofAnother = [read('lan'), read('lan')]
    const ofNobody = read('hue')

    for (const begun of [first, second, ...ofAnother]) {
      assert.equal(await refusal(begun), undefined)
    }
    const refused = [await refusal(third), await refusal(ofNobody)]
    assert.deepEqual(
      refused.map((error) => error instanceof AppError && [error.kind, error.retryAfterSeconds]),
      [
        ['too_many_requests', 1],
        ['unavailable', 1],
      ],
    )
    const shed = await metrics.httpShed.get()
    assert.equal(shed.values.find(({ labels }) => labels.limit === 'dead_letters')?.value, 2)
  })
})
