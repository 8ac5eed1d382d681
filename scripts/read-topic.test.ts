import assert from 'node:assert/strict'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { createTestTopics, type TestTopics } from '../test/helpers/topics.ts'
import { readStretches, type Stretch, wholeTopic } from './read-topic.ts'

const partitions = 2

describe('reading a topic up to an end', () => {
  const open = new AsyncDisposableStack()
  let kafka: Kafka
  let admin: Admin
  let topics: TestTopics
  let topic: string

  before(async () => {
    topics = open.adopt(await createTestTopics({ partitions }), (it) => it.close())
    const { KAFKA_BROKERS: brokers, KAFKA_TOPIC_PREFIX: prefix } = topics.config
    kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
    admin = kafka.admin()
    await admin.connect()
    open.defer(() => admin.disconnect())
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
    await readStretches({ kafka, admin }, { group, stretches, deadlineMs: 15_000 }, (_, message) =>
      values.push(String(message.value)),
    )
    return values
  }

  it('gives each message once and leaves no group', async () => {
    const values = await read(await wholeTopic(admin, topic))
    const { groups } = await admin.listGroups()

    assert.deepEqual(values.sort(), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    assert.deepEqual(
      groups.filter(({ groupId }) => groupId.startsWith(topic)),
      [],
    )
  })

  it('leaves out what is before the beginning and behind the end', async () => {
    const values = await read([
      { topic, partition: 0, from: 1n, to: 3n },
      { topic, partition: 1, from: 4n, to: 4n },
    ])

    assert.deepEqual(values, ['2', '4'])
  })

  it('gives up when the end does not come', async () => {
    const stretches = [{ topic, partition: 0, from: 0n, to: 100n }]
    const reading = { group: `${topic}-reader`, stretches, deadlineMs: 1_000 }

    await assert.rejects(
      readStretches({ kafka, admin }, reading, () => {}),
      /could not be read in 1000 ms/,
    )
  })
})
