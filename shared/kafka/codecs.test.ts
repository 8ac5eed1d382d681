import assert from 'node:assert/strict'
import snappy from 'snappyjs'
import { createTestTopics, type TestTopics } from '../../test/helpers/topics.ts'
import { newId } from '../contracts/ids.ts'
import type { Topic } from '../contracts/topics.ts'
import { waitFor } from '../runtime/wait-for.ts'
import { connectAdmin } from './admin.ts'
import { codecs, maxDecompressedBytes } from './codecs.ts'

/** What repeats and what does not, over more than one block of every format. */
const text = Array.from({ length: 4_000 }, () => `${newId()} is a purchase\n`).join('')

describe('a compressed record', function () {
  this.timeout(180_000)

  const open = new AsyncDisposableStack()
  let topics: TestTopics
  let send: Awaited<ReturnType<TestTopics['connectProducer']>>

  before(async () => {
    topics = open.adopt(await createTestTopics({ partitions: 1 }), (it) => it.close())
    send = await topics.connectProducer()
  })

  after(() => open.disposeAsync())

  async function consume(topic: Topic) {
    const values: string[] = []
    const client = open.adopt(await topics.connect('codecs'), (it) => it.close())
    const consumer = await client.consume({
      group: newId(),
      topics: [topic],
      handle: async ({ value }) => void values.push(value),
    })
    return { values, consumer }
  }

  /** Has the broker keep what lies on a topic in the form of one codec, whatever comes. */
  async function keepIn(topic: Topic, codec: string): Promise<void> {
    const { KAFKA_BROKERS: brokers, KAFKA_TOPIC_PREFIX: prefix } = topics.config
    await using closing = new AsyncDisposableStack()
    const admin = closing.adopt(await connectAdmin(brokers), (it) => it.close())
    await admin.setTopicSettings({ [prefix + topic]: { 'compression.type': codec.toLowerCase() } })
  }

  for (const codec of Object.keys(codecs)) {
    it(`is read: ${codec}`, async () => {
      const value = `${codec} ${text}`
      await keepIn('replies', codec)
      const { values } = await consume('replies')

      await send('replies', { key: 'a', value })

      await waitFor('it', () => values.includes(value))
    })
  }

  it('is read when its producer has compressed it', async () => {
    const { values } = await consume('emails')

    await send('emails', { key: 'a', value: text }, { gzip: true })

    await waitFor('it', () => values.includes(text))
  })

  it('is read when Snappy was used without the framing of Java', async () => {
    const bare = Buffer.from(snappy.compress(Buffer.from(text)))

    assert.equal(String(await codecs.Snappy.decompress(bare)), text)
  })

  // A batch of Snappy that the broker takes is never as large.
  for (const codec of ['GZIP', 'LZ4', 'ZSTD']) {
    it(`is a dead letter when ${codec} makes more of it than fits, and what follows is read`, async () => {
      const topic = 'purchases'
      const deadLetters = await topics.read('dead-letters')
      await keepIn(topic, codec)
      const value = 'x'.repeat(maxDecompressedBytes)
      const place = await send(topic, { key: 'b', value }, { gzip: true })
      await send(topic, { key: 'c', value: `after ${codec}` })

      const { values, consumer } = await consume(topic)

      await waitFor('what follows', () => values.includes(`after ${codec}`))
      const deadLetter = await waitFor('the dead letter', () =>
        deadLetters.find(
          ({ headers }) =>
            headers.dead_letter_topic === topic && headers.dead_letter_offset === place.offset,
        ),
      )
      assert.match(
        deadLetter.headers.dead_letter_error ?? '',
        /^PoisonError: a batch of records: ./,
      )
      assert.ok(consumer.joined())
    })
  }
})
