import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '../../shared/contracts/ids.ts'
import type { Topic } from '../../shared/contracts/topics.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { startConsumerProcess } from '../helpers/consumer-process.ts'
import { createTestTopics, type TestTopics } from '../helpers/topics.ts'

const partitions = 4
const patienceMs = 90_000

describe('a consumer group', function () {
  this.timeout(480_000)

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

  async function join(group: string, topic: Topic, handled: string[], gate?: Promise<void>) {
    const client = await topics.connect('member')
    const consumer = await client.consume({
      group,
      topics: [topic],
      async handle({ value }) {
        await (gate ?? sleep(5))
        handled.push(value)
      },
    })
    return { consumer, close: () => client.close() }
  }

  async function committedOf(group: string, topic: Topic): Promise<number> {
    const offsets = await topics.committed(group, topic)
    return offsets.reduce((sum, offset) => sum + Math.max(offset, 0), 0)
  }

  const allCommitted = (group: string, topic: Topic, count: number) =>
    waitFor(
      'all to be committed',
      async () => (await committedOf(group, topic)) === count,
      patienceMs,
    )

  it('tolerates members that join and leave all the time: no message is lost, few come again', async () => {
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
    // The group may just be taking the last guest's share back.
    await waitFor('it to have its place', () => member.consumer.joined(), patienceMs)
    // Each join and each leave may deliver again what the members hold. On a busy machine one change takes two
    // generations of the group, since a member rejoins too late for the first.
    const again = handled.length - sent.length
    const held = 2 * topics.config.CONSUMER_CONCURRENCY
    const generations = 2 * (2 * storms)
    assert.ok(again <= generations * held, `${again} of ${sent.length} came again`)
  })

  it('keeps a member that has no room for more: it still says that it lives', async () => {
    const [group, topic] = [newId(), 'purchases'] as const
    const { sent, send } = createSender(topic)
    const gate = Promise.withResolvers<void>()
    const handled: string[] = []
    await using stays = new AsyncDisposableStack()
    const member = stays.adopt(await join(group, topic, handled, gate.promise), (it) => it.close())
    await send(50 * partitions)

    for (let i = 0; i < 2; i += 1) {
      const guest = await join(group, topic, handled)
      const readers = [member.consumer, guest.consumer]
      await waitFor(
        'each of them to have its share',
        () => {
          const shares = readers.map((reader) => sent.filter((key) => reader.reads(topic, key)))
          const both = shares.reduce((sum, share) => sum + share.length, 0)
          return both === sent.length && shares.every((share) => share.length > 0)
        },
        patienceMs,
      )
      await guest.close()
    }
    // The group is just taking the last guest's share back.
    await waitFor('it to have its place', () => member.consumer.joined(), patienceMs)
    gate.resolve()
    await allCommitted(group, topic, sent.length)

    assert.deepEqual([...new Set(handled)].sort(), [...sent].sort())
  })

  it('continues without a stopped member, which drops what it had read', async () => {
    const [group, topic] = [newId(), 'replies'] as const
    const { sent, send } = createSender(topic)
    const { config } = topics
    await send(100 * partitions)
    const stopped = open.adopt(
      await startConsumerProcess({ config, group, topic, handleMs: 50 }),
      (it) => it.close(),
    )
    await waitFor('it to be in the midst of it', () => stopped.handled.length > 50, patienceMs)

    stopped.signal('SIGSTOP')
    const others: string[] = []
    const gate = Promise.withResolvers<void>()
    await using second = new AsyncDisposableStack()
    const other = second.adopt(await join(group, topic, others, gate.promise), (it) => it.close())
    const hasAll = () => sent.every((key) => other.consumer.reads(topic, key))
    await waitFor('the other one to have every partition', hasAll, patienceMs)
    // Only now: a commit may have been on its way when the member was stopped.
    const committed = await committedOf(group, topic)
    const before = stopped.handled.length
    gate.resolve()
    await allCommitted(group, topic, sent.length)
    assert.equal(stopped.handled.length, before)
    assert.equal(others.length, sent.length - committed)

    stopped.signal('SIGCONT')
    await waitFor(
      'the stopped member to take its share again',
      async () => {
        await send(4)
        return stopped.handled.some((value) => Number(value) >= 100 * partitions)
      },
      patienceMs,
    )
    await allCommitted(group, topic, sent.length)

    assert.deepEqual([...new Set([...stopped.handled, ...others])].sort(), [...sent].sort())
    // It ends what it had begun. The rest of what it had read is no longer its own.
    const stale = stopped.handled.slice(before).filter((value) => Number(value) < 100 * partitions)
    const held = 2 * topics.config.CONSUMER_CONCURRENCY
    assert.ok(stale.length <= held + partitions, `${stale.length} handled once more`)
  })
})
