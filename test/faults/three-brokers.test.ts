import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { connectAdmin, type KafkaAdmin } from '../../shared/kafka/admin.ts'
import type { KafkaClient } from '../../shared/kafka/client.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { startThreeBrokers, type ThreeBrokers } from '../helpers/three-brokers.ts'
import { createTestTopics, type TestTopics } from '../helpers/topics.ts'

const patienceMs = 90_000
/** A broker that dies is noticed after 4 s, and the place of a member after 10 s; a busy machine takes longer. */
const failoverMs = 90_000
const topic = 'emails'

describe('a Kafka client of three brokers', function () {
  this.timeout(480_000)

  const open = new AsyncDisposableStack()
  const values = new Set<string>()
  const sent: string[] = []
  let kafka: ThreeBrokers
  let topics: TestTopics
  let client: KafkaClient

  before(async () => {
    kafka = open.adopt(await startThreeBrokers(), (it) => it.close())
    const { brokers } = kafka
    topics = open.adopt(await createTestTopics({ partitions: 1, brokers }), (it) => it.close())
    client = open.adopt(await topics.connect('member'), (it) => it.close())
    await client.consume({
      group: newId(),
      topics: [topic],
      handle: async ({ value }) => void values.add(value),
    })
  })

  after(() => open.disposeAsync())

  async function send(deadlineMs?: number): Promise<void> {
    const value = newId()
    await client.publish(topic, { key: value, value }, deadlineMs)
    sent.push(value)
  }

  const untilSent = () =>
    waitFor('a message to be taken', () => send().then(() => true), failoverMs)
  const untilHandled = () =>
    waitFor('all to be handled', () => sent.every((value) => values.has(value)), patienceMs)

  async function ask<T>(question: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
    await using asking = new AsyncDisposableStack()
    const admin = asking.adopt(await connectAdmin(kafka.brokers), (it) => it.close())
    return await question(admin)
  }

  async function leader(): Promise<number> {
    const name = topics.config.KAFKA_TOPIC_PREFIX + topic
    const leaders = await ask((admin) => admin.leaders([name]))
    return leaders.get(name)?.[0] ?? -1
  }

  it('goes on with another leader when the one that it writes to is lost', async () => {
    await untilSent()
    const lost = await leader()

    await kafka.lose(lost)
    await untilSent()
    await untilHandled()

    // Not every broker knows at once.
    await waitFor('another leader', async () => ![lost, -1].includes(await leader()), patienceMs)
    await kafka.recover()
  })

  it('is told that nothing is stored while two brokers are lost, and loses nothing', async () => {
    await untilSent()
    await untilHandled()
    const left = await leader()
    const lost = [1, 2, 3].filter((id) => id !== left)

    await Promise.all(lost.map((id) => kafka.lose(id)))
    await assert.rejects(send(5_000), /Kafka/)

    await kafka.recover()
    await untilSent()
    await untilHandled()
  })
})
