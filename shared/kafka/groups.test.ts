import assert from 'node:assert/strict'
import { type Consumers, createConsumers } from '../../test/helpers/consumers.ts'
import { createTestTopics, type TestTopics } from '../../test/helpers/topics.ts'
import { newId } from '../contracts/ids.ts'
import { waitFor } from '../runtime/wait-for.ts'

describe('a group of consumers', function () {
  // Each change of a group takes some heartbeats.
  this.timeout(180_000)

  let topics: TestTopics
  let produce: Awaited<ReturnType<TestTopics['connectProducer']>>
  let consumers: Consumers

  before(async () => {
    topics = await createTestTopics()
    produce = await topics.connectProducer()
    consumers = createConsumers(topics)
  })

  afterEach(() => consumers.close())
  after(() => topics.close())

  it('loses nothing when a member of the group comes and another leaves', async () => {
    const topic = 'purchase-results'
    const first = await consumers.consume(topic)
    const { group } = first
    let sent = 0
    const sendUntil = async (condition: () => boolean) => {
      while (!condition()) {
        const value = String(sent++)
        await produce(topic, { key: value, value })
      }
    }
    await sendUntil(() => first.ended.length > 0)
    const second = await consumers.consume(topic, { group })
    await sendUntil(() => second.ended.length > 0)
    const before = second.ended.length
    await Promise.all([first.consumer.close(), sendUntil(() => !first.consumer.joined())])
    await sendUntil(() => second.ended.length > before)

    await waitFor('all messages', () => {
      return new Set([...first.ended, ...second.ended]).size === sent
    })
  })

  it('goes on from where its group is when members come and go', async () => {
    const group = newId()
    const topic = 'dead-letters'
    const first = await consumers.consume(topic, { group })
    for (const partition of [0, 1]) {
      first.shut(`slow ${partition}`)
      for (const value of [`slow ${partition}`, `quick ${partition}`]) {
        await produce(topic, { key: value, value, partition })
      }
    }
    await waitFor('the quick ones', () => first.ended.length === 2)
    const second = await consumers.consume(topic, { group })
    await waitFor('the second to have read its share', () => second.ended.length >= 2)
    await waitFor('the first to have read its share again', () => first.ended.length >= 3)
    first.release()
    await waitFor('the slow ones', () => first.ended.length >= 6)
    for (const partition of [0, 1]) await produce(topic, { key: 'z', value: 'z', partition })
    await waitFor(
      'all committed',
      async () => (await topics.committed(group, topic)).join() === '3,3',
    )
    await Promise.all([first.consumer.close(), second.consumer.close()])
    assert.deepEqual(await topics.committed(group, topic), [3, 3])
  })

  describe('keys', () => {
    it('come to one process in all its groups, which knows that they do', async () => {
      const members = await Promise.all(
        ['product-commands', 'order-commands'].map(() => consumers.connect()),
      )
      const groups = [newId(), newId()]
      const processes = await Promise.all(
        members.map(async (client) => ({
          first: await consumers.consume('product-commands', { client, group: groups[0] ?? '' }),
          second: await consumers.consume('order-commands', { client, group: groups[1] ?? '' }),
        })),
      )
      const keys = Array.from({ length: 20 }, newId)
      const readers = (key: string) =>
        processes.filter(
          ({ first, second }) =>
            first.consumer.reads('product-commands', key) &&
            second.consumer.reads('order-commands', key),
        )
      await waitFor('each key to have one reader, and each reader some', () => {
        const used = new Set(keys.flatMap(readers))
        return keys.every((key) => readers(key).length === 1) && used.size === 2
      })

      for (const key of keys) await produce('order-commands', { key, value: key })
      await waitFor('all of them', () => {
        const read = processes.flatMap(({ second }) => second.ended)
        return keys.every((key) => read.includes(key))
      })
      for (const key of keys) assert.deepEqual(readers(key)[0]?.second.ended.includes(key), true)
    })
  })
})
