import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../scripts/wait-for.ts'
import type { Topic } from '../../shared/contracts/topics.ts'
import { newId } from '../../shared/ids.ts'
import { startConsumerProcess } from '../helpers/consumer-process.ts'
import { createTestTopics, type TestTopics } from '../helpers/topics.ts'

const partitions = 4
const patienceMs = 90_000

describe('a consumer group', function () {
  this.timeout(240_000)

  const open = new AsyncDisposableStack()
  let topics: TestTopics
  let produce: Awaited<ReturnType<TestTopics['connectProducer']>>

  before(async () => {
    topics = open.adopt(await createTestTopics({ partitions }), (it) => it.close())
    produce = await topics.connectProducer()
  })

  after(() => open.disposeAsync())

  /** Sends messages of different keys to all partitions in turn. */
  function createSender(topic: Topic) {
    const sent: string[] = []
    return {
      sent,
      async send(count: number) {
        for (let i = 0; i < count; i += 1) {
          const value = `${sent.length}`
          sent.push(value)
          await produce(topic, { key: value, value, partition: sent.length % partitions })
        }
      },
    }
  }

  async function join(group: string, topic: Topic, handled: string[]) {
    const client = await topics.connect('member')
    const consumer = await client.consume({
      group,
      topics: [topic],
      async handle({ value }) {
        await sleep(5)
        handled.push(value)
      },
    })
    return { consumer, close: () => client.close() }
  }

  const allCommitted = (group: string, topic: Topic, count: number) =>
    waitFor(
      'all to be committed',
      async () => {
        const offsets = await topics.committed(group, topic)
        return offsets.reduce((sum, offset) => sum + Math.max(offset, 0), 0) === count
      },
      patienceMs,
    )

  it('bears members that come and go all the time: no message is lost, few come again', async () => {
    const [group, topic] = [newId(), 'emails'] as const
    const { sent, send } = createSender(topic)
    const handled: string[] = []
    await using stays = new AsyncDisposableStack()
    const member = stays.adopt(await join(group, topic, handled), (it) => it.close())
    const storms = 5
    let storming = true
    const sending = (async () => {
      while (storming) {
        await send(10)
        await sleep(50)
      }
    })()
    for (let i = 0; i < storms; i += 1) {
      const guest = await join(group, topic, handled)
      const before = handled.length
      await waitFor('messages to be handled', () => handled.length > before + 10, patienceMs)
      await guest.close()
    }
    storming = false
    await sending
    await allCommitted(group, topic, sent.length)

    assert.deepEqual([...new Set(handled)].sort(), [...sent].sort())
    assert.ok(member.consumer.joined())
    // What was under way at a change may come once more: what is held, at each coming and going.
    const again = handled.length - sent.length
    const held = 2 * topics.config.CONSUMER_CONCURRENCY
    assert.ok(again <= 2 * storms * held, `${again} of ${sent.length} came again`)
  })

  it('goes on without a member that stands still, which finds its way back', async () => {
    const [group, topic] = [newId(), 'replies'] as const
    const { sent, send } = createSender(topic)
    const { config } = topics
    const stopped = open.adopt(await startConsumerProcess({ config, group, topic }), (it) =>
      it.close(),
    )
    await send(20)
    await allCommitted(group, topic, sent.length)

    stopped.signal('SIGSTOP')
    const others: string[] = []
    await using second = new AsyncDisposableStack()
    second.adopt(await join(group, topic, others), (it) => it.close())
    await send(40)
    await allCommitted(group, topic, sent.length)
    assert.equal(new Set(others).size, 40)
    assert.equal(stopped.handled.length, 20)

    stopped.signal('SIGCONT')
    await waitFor(
      'the one that stood still to take its share again',
      async () => {
        await send(4)
        return stopped.handled.length > 20
      },
      patienceMs,
    )
    await allCommitted(group, topic, sent.length)

    const all = [...stopped.handled, ...others]
    assert.deepEqual([...new Set(all)].sort(), [...sent].sort())
    // The answer to its last question may hold the first of them; more would be a generation that is over.
    const stale = stopped.handled.slice(20).filter((value) => Number(value) < 60)
    assert.ok(stale.length < 20, `${stale.length} handled once more`)
  })
})
