import assert from 'node:assert/strict'
import { once } from 'node:events'
import { waitFor } from '../scripts/wait-for.ts'
import { createTestTopics, type TestTopics } from '../test/helpers/topics.ts'
import type { Topic } from './contracts/topics.ts'
import { AppError } from './errors.ts'
import { NoReplyError, PoisonError } from './faults.ts'
import { newId } from './ids.ts'
import type { ConsumeOptions, KafkaClient, Message } from './kafka.ts'
import { createMetrics } from './metrics.ts'

const partitions = 2

describe('kafka', () => {
  let topics: TestTopics
  let produce: Awaited<ReturnType<TestTopics['connectProducer']>>
  const clients: KafkaClient[] = []

  before(async () => {
    topics = await createTestTopics({ partitions })
    produce = await topics.connectProducer()
  })

  afterEach(() => Promise.all(clients.splice(0).map((client) => client.close())))
  after(() => topics.close())

  async function connect(options: Parameters<TestTopics['connect']>[1] = {}) {
    const client = await topics.connect('kafka-test', options)
    clients.push(client)
    return client
  }

  /** A consumer that notes what it begins and ends, and holds a message as long as its gate is shut. */
  async function consume(
    topic: Topic,
    {
      group = newId(),
      client,
      ...options
    }: Partial<ConsumeOptions> & { group?: string; client?: KafkaClient } = {},
  ) {
    const begun: string[] = []
    const ended: string[] = []
    const gates = new Map<string, PromiseWithResolvers<void>>()
    const consumer = await (client ?? (await connect())).consume({
      group,
      topics: [topic],
      async handle({ value }) {
        begun.push(value)
        await gates.get(value)?.promise
        ended.push(value)
      },
      ...options,
    })
    return {
      group,
      begun,
      ended,
      consumer,
      shut: (value: string) => void gates.set(value, Promise.withResolvers()),
      release: () => {
        for (const gate of gates.values()) gate.resolve()
        gates.clear()
      },
    }
  }

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
      const { consumer } = await consume('emails')
      await waitFor('the group', () => consumer.joined())
    } finally {
      globalThis.setTimeout = set
    }
    assert.deepEqual(
      delays.filter((ms) => ms < 0),
      [],
    )
  })

  describe('keys', () => {
    it('come to one process in all its groups, which knows that they do', async () => {
      const members = await Promise.all(['product-commands', 'order-commands'].map(() => connect()))
      const groups = [newId(), newId()]
      const consumers = await Promise.all(
        members.map(async (client) => ({
          first: await consume('product-commands', { client, group: groups[0] ?? '' }),
          second: await consume('order-commands', { client, group: groups[1] ?? '' }),
        })),
      )
      const keys = Array.from({ length: 20 }, newId)
      const readers = (key: string) =>
        consumers.filter(
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
        const read = consumers.flatMap(({ second }) => second.ended)
        return keys.every((key) => read.includes(key))
      })
      for (const key of keys) assert.deepEqual(readers(key)[0]?.second.ended.includes(key), true)
    })
  })

  describe('order', () => {
    it('of one key is kept while other keys go on beside it', async () => {
      const { begun, ended, shut, release } = await consume('emails')
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
      const { ended, shut, release } = await consume('purchases')
      shut('first')
      for (const value of ['first', 'second']) await produce('purchases', { value, partition: 0 })
      await waitFor('the second', () => ended.includes('second'))
      release()
    })
  })

  it('reads a message as it was sent', async () => {
    const client = await connect()
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

  it('one that is unfinished when time is up is read again, with all that came behind it', async function () {
    this.timeout(30_000)
    const topic = 'product-commands'
    const { group, ended, consumer, shut, release } = await consume(topic)
    shut('slow')
    for (const value of ['before', 'slow', 'behind', 'last']) {
      await produce(topic, { key: value, value, partition: 0 })
    }
    await waitFor('what is behind the slow one', () => ended.length === 3)
    // The other partition's commit is a sign that one has been made since.
    await produce(topic, { key: 'sign', value: 'sign', partition: 1 })
    await waitFor('a commit', async () => (await topics.committed(group, topic))[1] === 1)
    assert.deepEqual(await topics.committed(group, topic), [1, 1])

    await consumer.close()
    assert.deepEqual(await topics.committed(group, topic), [1, 1])
    const second = await consume(topic, { group })
    await waitFor('all again', () => second.ended.length === 3)
    assert.deepEqual(second.ended.sort(), ['behind', 'last', 'slow'])
    await waitFor('all committed', async () => (await topics.committed(group, topic))[0] === 4)
    release()
  })

  it('close lets what is in flight end and commits it', async () => {
    const topic = 'order-commands'
    const { group, begun, ended, consumer, shut, release } = await consume(topic)
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
    const client = await connect({ CONSUMER_CONCURRENCY: concurrency, metrics })
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
    const { ended: others } = await consume(topic)
    await waitFor('another group to read all', () => others.length === values.length)

    assert.deepEqual([await held(), running], [2 * concurrency, concurrency])
    gate.resolve()
    await waitFor('all', () => ended === values.length)
    assert.equal(most, concurrency)
    const committed = async () => (await topics.committed(group, topic)).join()
    await waitFor('all committed', async () => (await committed()) === '20,20')
    assert.equal(await held(), 0)
  })

  it('loses nothing when a member of the group comes and another leaves', async () => {
    const topic = 'purchase-results'
    const first = await consume(topic)
    const { group } = first
    let sent = 0
    const sendUntil = async (condition: () => boolean) => {
      while (!condition()) {
        const value = String(sent++)
        await produce(topic, { key: value, value })
      }
    }
    await sendUntil(() => first.ended.length > 0)
    const second = await consume(topic, { group })
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
    const first = await consume(topic, { group })
    for (const partition of [0, 1]) {
      first.shut(`slow ${partition}`)
      for (const value of [`slow ${partition}`, `quick ${partition}`]) {
        await produce(topic, { key: value, value, partition })
      }
    }
    await waitFor('the quick ones', () => first.ended.length === 2)
    const second = await consume(topic, { group })
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

  it('a consumer that stops for good takes its process with it', async () => {
    const metrics = createMetrics('test')
    metrics.inFlight.inc = () => {
      throw new TypeError('a bug')
    }
    const { consumer } = await consume('purchases', { client: await connect({ metrics }) })
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

  describe('what a handler throws decides', () => {
    const topic = 'replies'
    const group = newId()
    /** What each try of a message throws, by its key; once all are thrown, it is handled. */
    const failures: Record<string, (Error | string)[]> = {
      transient: Array.from({ length: 5 }, () => new Error('connection refused')),
      unavailable: Array.from({ length: 5 }, () => new AppError('unavailable', 'Kafka is away')),
      text: ['not even an error'],
      deterministic: Array.from({ length: 5 }, () => new AppError('invalid', 'never')),
      'nearly deterministic': Array.from({ length: 4 }, () => new SyntaxError('not yet')),
      mixed: [...Array.from({ length: 4 }, () => new Error('away')), new SyntaxError('once')],
      poison: [new PoisonError('cannot be read')],
      'no reply': [new NoReplyError('the provider is away')],
      unanswered: [new PoisonError('cannot be read'), new PoisonError('cannot be read')],
    }
    const tries: string[] = []
    const handled: string[] = []
    const poisoned: string[] = []
    let topics: TestTopics
    let client: KafkaClient
    let deadLetters: Awaited<ReturnType<TestTopics['read']>>
    const metrics = createMetrics('test')

    before(async () => {
      topics = await createTestTopics({ partitions })
      deadLetters = await topics.read('dead-letters')
      client = await topics.connect('kafka-test', { metrics })
      const send = await topics.connectProducer()
      let refuseOnce = true
      await client.consume({
        group,
        topics: [topic],
        async handle({ key }) {
          const failure = failures[key]?.[tries.filter((tried) => tried === key).length]
          tries.push(key)
          if (failure) throw failure
          handled.push(key)
        },
        async onPoison({ key }, error) {
          poisoned.push(`${key}: ${error.message}`)
          if (key !== 'unanswered' || !refuseOnce) return
          refuseOnce = false
          throw new Error('the answer cannot be sent')
        },
      })
      for (const key of Object.keys(failures)) {
        await send(topic, {
          key,
          value: `value of ${key}`,
          headers: { name: key },
          partition: 1,
        })
      }
    })

    after(async () => {
      await client.close()
      await topics.close()
    })

    const triesOf = (key: string) => tries.filter((tried) => tried === key).length
    const lettersOf = (key: string) => deadLetters.filter((letter) => letter.key === key)
    const letterOf = (key: string) => waitFor(`the dead letter of ${key}`, () => lettersOf(key)[0])

    for (const key of ['transient', 'unavailable', 'text', 'nearly deterministic', 'mixed']) {
      it(`${key}: it is tried again until it is handled`, async () => {
        await waitFor('it to be handled', () => handled.includes(key))
        assert.equal(triesOf(key), (failures[key]?.length ?? 0) + 1)
        assert.deepEqual(lettersOf(key), [])
      })
    }

    it('deterministic: it is dead-lettered after five tries', async () => {
      await letterOf('deterministic')
      assert.equal(triesOf('deterministic'), 5)
      assert.ok(poisoned.includes('deterministic: never'))
    })

    it('poison: it is dead-lettered at once, as it came and with where it came from', async () => {
      const letter = await letterOf('poison')
      assert.equal(triesOf('poison'), 1)
      assert.equal(letter.value, 'value of poison')
      const { dead_letter_offset, dead_letter_time, ...headers } = letter.headers
      assert.match(dead_letter_offset ?? '', /^\d+$/)
      assert.ok(Math.abs(Date.parse(dead_letter_time ?? '') - Date.now()) < 60_000)
      assert.deepEqual(headers, {
        name: 'poison',
        dead_letter_error: 'PoisonError: cannot be read',
        dead_letter_group: group,
        dead_letter_topic: topic,
        dead_letter_partition: '1',
      })
    })

    it('poison that could not be answered is tried again, so that its answer is never lost', async () => {
      await letterOf('unanswered')
      assert.equal(triesOf('unanswered'), 2)
      assert.equal(lettersOf('unanswered').length, 1)
    })

    it('no reply: it is given up, and not dead-lettered', async () => {
      await waitFor('the try', () => triesOf('no reply') === 1)
      const all = handled.length + deadLetters.length + 1
      await waitFor('the others', () => all === Object.keys(failures).length)
      await waitFor('all to be committed', async () => {
        const [, offset] = await topics.committed(group, topic)
        return offset === Object.keys(failures).length
      })
      assert.equal(triesOf('no reply'), 1)
      assert.deepEqual(lettersOf('no reply'), [])
    })

    it('each outcome is counted', async () => {
      const { values } = await metrics.messages.get()
      const counts = values.map(({ labels, value }) => [labels.outcome, value])
      const retried = Object.values(failures).reduce((n, all) => n + all.length, 0) - 4
      assert.deepEqual(Object.fromEntries(counts), {
        handled: 5,
        retried,
        dead_lettered: 3,
        no_reply: 1,
      })
    })
  })
})
