import assert from 'node:assert/strict'
import { createTestTopics, type TestTopics } from '../../test/helpers/topics.ts'
import { connectAdmin, type KafkaAdmin } from './admin.ts'
import { readStretches, type Stretch, wholeTopic } from './read-topic.ts'

const partitions = 2

describe('reading a topic up to an end', () => {
  const open = new AsyncDisposableStack()
  let admin: KafkaAdmin
  let topics: TestTopics
  let topic: string

  before(async () => {
    topics = open.adopt(await createTestTopics({ partitions }), (it) => it.close())
    const { KAFKA_BROKERS: brokers, KAFKA_TOPIC_PREFIX: prefix } = topics.config
    admin = open.adopt(await connectAdmin(brokers), (it) => it.close())
    topic = `${prefix}emails`
    const produce = await topics.connectProducer()
    for (let i = 0; i < 10; i += 1) {
      await produce('emails', { value: `${i}`, partition: i % partitions })
    }
  })

  after(() => open.disposeAsync())

  async function read(stretches: Stretch[]): Promise<string[]> {
    const values: string[] = []
    const group = `${topic}-reader`
    const reading = { group, stretches, deadlineMs: 15_000 }
    await readStretches(topics.config.KAFKA_BROKERS, reading, (_, message) =>
      values.push(String(message.value)),
    )
    return values
  }

  it('gives each message once and leaves no group', async () => {
    const values = await read(await wholeTopic(admin, topic))
    const groups = await admin.listGroups()

    assert.deepEqual(values.sort(), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    assert.deepEqual(
      groups.filter((group) => group.startsWith(topic)),
      [],
    )
  })

  it('leaves out what is before the beginning and after the end', async () => {
    const values = await read([
      { topic, partition: 0, from: 1n, to: 3n },
      { topic, partition: 1, from: 4n, to: 4n },
    ])

    assert.deepEqual(values, ['2', '4'])
  })

  it('fails when the end does not come', async () => {
    const stretches = [{ topic, partition: 0, from: 0n, to: 100n }]

    // The shorter is over before there is a connection.
    for (const deadlineMs of [1_000, 1]) {
      const reading = { group: `${topic}-reader`, stretches, deadlineMs }
      await assert.rejects(
        readStretches(topics.config.KAFKA_BROKERS, reading, () => {}),
        { message: `${topic} could not be read in ${deadlineMs} ms` },
      )
    }
  })
})
