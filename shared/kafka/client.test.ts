import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Consumers, createConsumers } from '../../test/helpers/consumers.ts'
import { createTestTopics, type TestTopics } from '../../test/helpers/topics.ts'
import { newId } from '../contracts/ids.ts'
import type { Message } from '../messaging/bus.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { waitFor } from '../runtime/wait-for.ts'

const partitions = 2

describe('kafka', () => {
  let topics: TestTopics
  let produce: Awaited<ReturnType<TestTopics['connectProducer']>>
  let consumers: Consumers

  before(async () => {
    topics = await createTestTopics({ partitions })
    produce = await topics.connectProducer()
    consumers = createConsumers(topics)
  })

  afterEach(() => consumers.close())
  after(() => topics.close())

  it('sets no timer in the past, which would wake an idle process without end', async () => {
    const set = globalThis.setTimeout
    const delays: number[] = []
    globalThis.setTimeout = Object.assign(
      (callback: () => void, ms?: number) => {
        delays.push(ms ?? 0)
        return set(callback, ms)
      },
      { __promisify__: set.__promisify__ },
    )
    try {
      const { consumer } = await consumers.consume('emails')
      await waitFor('the group', () => consumer.joined())
    } finally {
      globalThis.setTimeout = set
    }
    assert.deepEqual(
      delays.filter((ms) => ms < 0),
      [],
    )
  })

  describe('order', () => {
    it('of one key is kept while other keys go on beside it', async () => {
      const { begun, ended, shut, release } = await consumers.consume('emails')
      shut('a1')
      for (const value of ['a1', 'a2', 'b1', 'a3', 'b2']) {
        await produce('emails', { key: value.slice(0, 1), value, partition: 0 })
      }
      await waitFor('the other key', () => ended.length === 2)
      assert.deepEqual(
        [begun, ended],
        [
          ['a1', 'b1', 'b2'],
          ['b1', 'b2'],
        ],
      )
      release()
      await waitFor('all', () => ended.length === 5)
      assert.deepEqual(ended, ['b1', 'b2', 'a1', 'a2', 'a3'])
    })

    it('of messages without a key means nothing', async () => {
      const { ended, shut, release } = await consumers.consume('purchases')
      shut('first')
      for (const value of ['first', 'second']) await produce('purchases', { value, partition: 0 })
      await waitFor('the second', () => ended.includes('second'))
      release()
    })
  })

  it('reads a message as it was sent', async () => {
    const client = await consumers.connect()
    const read: Message[] = []
    await client.consume({
      group: newId(),
      topics: ['replies'],
      handle: async (message) => void read.push(message),
    })
    const sentAt = Date.now()
    await client.publish('replies', { key: 'ä', headers: { name: 'ö', empty: '' }, value: '"ü"' })
    const [message] = await waitFor('the message', () => read.length > 0 && read)

    const { partition, timestamp, ...rest } = message as Message
    assert.deepEqual(rest, {
      topic: 'replies',
      offset: '0',
      key: 'ä',
      headers: { name: 'ö', empty: '' },
      value: '"ü"',
    })
    assert.ok(partition < partitions)
    assert.ok(Math.abs(timestamp - sentAt) < 60_000)
  })

  it('reads at its pace: after two reads that follow closely it waits, and a single message does not', async () => {
    const paceMs = 400
    const handledAt: number[] = []
    const { consumer } = await consumers.consume('purchase-results', {
      paceMs,
      handle: async () => void handledAt.push(performance.now()),
    })
    await waitFor('the group', () => consumer.joined())
    for (let handled = 1; handled <= 3; handled++) {
      await produce('purchase-results', { key: 'a', value: `${handled}` })
      await waitFor(`message ${handled}`, () => handledAt.length === handled)
    }

    const [first = 0, , third = 0] = handledAt
    // A timer may end a millisecond early.
    assert.ok(third - first >= paceMs - 2, `${third - first} ms`)
  })

  it('one that is unfinished when time is up is read again, with all that came after it', async () => {
    const topic = 'product-commands'
    const { group, ended, consumer, shut, release } = await consumers.consume(topic)
    shut('slow')
    for (const value of ['before', 'slow', 'after', 'last']) {
      await produce(topic, { key: value, value, partition: 0 })
    }
    await waitFor('what is after the slow one', () => ended.length === 3)
    // The other partition's commit is a sign that one has been made since.
    await produce(topic, { key: 'sign', value: 'sign', partition: 1 })
    await waitFor('a commit', async () => (await topics.committed(group, topic))[1] === 1)
    assert.deepEqual(await topics.committed(group, topic), [1, 1])

    await consumer.close()
    assert.deepEqual(await topics.committed(group, topic), [1, 1])
    const second = await consumers.consume(topic, { group })
    await waitFor('all again', () => second.ended.length === 3)
    assert.deepEqual(second.ended.sort(), ['after', 'last', 'slow'])
    await waitFor('all committed', async () => (await topics.committed(group, topic))[0] === 4)
    release()
  })

  it('close lets what is in flight end and commits it', async () => {
    const topic = 'order-commands'
    const { group, begun, ended, consumer, shut, release } = await consumers.consume(topic)
    assert.ok(consumer.joined())
    shut('slow')
    await produce(topic, { key: 'slow', value: 'slow', partition: 0 })
    await waitFor('the slow one', () => begun.length === 1)
    const closed = consumer.close()
    release()
    await closed

    assert.deepEqual(ended, ['slow'])
    assert.equal((await topics.committed(group, topic))[0], 1)
    assert.equal(consumer.joined(), false)
  })

  it('runs no more at once than it may, and stops reading when as many wait', async () => {
    const topic = 'payment-commands'
    const concurrency = 4
    const metrics = createMetrics('test')
    const client = await consumers.connect({ CONSUMER_CONCURRENCY: concurrency, metrics })
    const gate = Promise.withResolvers<void>()
    let running = 0
    let most = 0
    let ended = 0
    const group = newId()
    await client.consume({
      group,
      topics: [topic],
      async handle() {
        running++
        most = Math.max(most, running)
        await gate.promise
        running--
        ended++
      },
    })
    const held = async () => (await metrics.inFlight.get()).values.reduce((n, v) => n + v.value, 0)
    const values = Array.from({ length: 40 }, (_, index) => String(index))
    for (const value of values) {
      await produce(topic, { key: value, value, partition: Number(value) % partitions })
    }
    const { ended: others } = await consumers.consume(topic)
    await waitFor('another group to read all', () => others.length === values.length)

    await waitFor('as many to wait as may', async () => (await held()) >= 2 * concurrency)
    assert.deepEqual([await held(), running], [2 * concurrency, concurrency])
    gate.resolve()
    await waitFor('all', () => ended === values.length)
    assert.equal(most, concurrency)
    const committed = async () => (await topics.committed(group, topic)).join()
    await waitFor('all committed', async () => (await committed()) === '20,20')
    assert.equal(await held(), 0)
  })

  it('a consumer that stops for good takes its process with it', async () => {
    const metrics = createMetrics('test')
    metrics.inFlight.inc = () => {
      throw new TypeError('a bug')
    }
    const { consumer } = await consumers.consume('purchases', {
      client: await consumers.connect({ metrics }),
    })
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    try {
      const uncaught = once(process, 'uncaughtException')
      await produce('purchases', { value: 'any' })
      const [error] = await uncaught
      assert.match(String(error), /a bug/)
      assert.equal(consumer.joined(), false)
    } finally {
      for (const listener of others) process.on('uncaughtException', listener)
    }
  })
})
