import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import type { KafkaClient } from '../../shared/kafka/client.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { type Broker, startBroker } from '../helpers/broker.ts'
import { createTestTopics, type TestTopics } from '../helpers/topics.ts'

const patienceMs = 60_000
/** The place of the member that the broker still remembers is free after 10 s; a busy broker takes longer to be one. */
const readOnMs = 90_000
const partitions = 2

describe('a Kafka client', function () {
  this.timeout(420_000)

  const open = new AsyncDisposableStack()
  let broker: Broker
  let topics: TestTopics

  before(async () => {
    broker = open.adopt(await startBroker(), (it) => it.close())
    const { brokers } = broker
    topics = open.adopt(await createTestTopics({ partitions, brokers }), (it) => it.close())
  })

  after(() => open.disposeAsync())

  async function connect(name: string): Promise<KafkaClient> {
    return open.adopt(await topics.connect(name), (it) => it.close())
  }

  it('tolerates a broker that is killed while it sends and reads: no message is lost, few come again', async () => {
    const [group, topic] = [newId(), 'emails'] as const
    const client = await connect('member')
    const values = new Set<string>()
    const positions: string[] = []
    const consumer = await client.consume({
      group,
      topics: [topic],
      async handle({ value, partition, offset }) {
        values.add(value)
        positions.push(`${partition}/${offset}`)
      },
    })
    const sent: string[] = []
    let working = true
    const sending = (async () => {
      while (working) {
        const value = newId()
        // As the outbox does: what was not taken, or not known to be, goes out again.
        const publish = () => client.publish(topic, { key: value, value }).then(() => true)
        await waitFor('it to be taken', publish, patienceMs)
        sent.push(value)
      }
    })()
    const committed = async () => {
      const offsets = await topics.committed(group, topic)
      return offsets.reduce((sum, offset) => sum + Math.max(offset, 0), 0)
    }
    const done = await waitFor('commits', committed, patienceMs)

    await broker.kill()
    const before = positions.length
    await waitFor('it to read on', () => positions.length > before + 100, readOnMs)
    working = false
    await sending
    const stored = await topics.count(topic)
    await waitFor('all to be committed', async () => (await committed()) === stored, patienceMs)

    await waitFor('it to have its place', () => consumer.joined(), patienceMs)
    assert.deepEqual([...new Set(sent).difference(values)], [])
    // Once more, and no more than once, comes what was handled and not committed yet.
    const again = positions.length - new Set(positions).size
    assert.ok(again <= before - done, `${again} came again, ${before - done} were not committed`)
  })

  it('sends and reads on when the broker has held it back', async () => {
    const topic = 'replies'
    await broker.setQuota('throttled', 20_000)
    const client = await connect('throttled')
    const handled = new Set<string>()
    await client.consume({
      group: newId(),
      topics: [topic],
      handle: async ({ key }) => void handled.add(key),
    })
    const sent: string[] = []
    async function send(): Promise<number> {
      const from = performance.now()
      const key = newId()
      await client.publish(topic, { key, value: 'x'.repeat(20_000) }, patienceMs)
      sent.push(key)
      return performance.now() - from
    }

    const held = async () => (await send()) > 500
    await waitFor('the broker to hold it back', held, patienceMs)
    await send()

    // A member that is held back for long loses its place: then some come again.
    await waitFor('all to be handled', () => sent.every((key) => handled.has(key)), patienceMs)
    assert.equal(handled.size, sent.length)
  })
})
