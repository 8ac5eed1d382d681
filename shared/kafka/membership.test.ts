import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { createTestTopics, type TestTopics } from '../../test/helpers/topics.ts'
import { newId } from '../contracts/ids.ts'
import { waitFor } from '../runtime/wait-for.ts'

type Requests = Record<
  'heartbeat' | 'joinGroup',
  (payload: { groupId: string }) => Promise<unknown>
>

const require = createRequire(import.meta.url)
/** What kafkajs sends its requests to one broker with. */
const requests: Requests = require('kafkajs/src/broker').prototype
const { KafkaJSProtocolError } = require('kafkajs/src/errors')

describe('a member of a group', () => {
  const open = new AsyncDisposableStack()
  let topics: TestTopics

  before(async () => {
    topics = open.adopt(await createTestTopics(), (it) => it.close())
  })

  after(() => open.disposeAsync())

  /** Holds the next request of a kind from a group, until it is answered with an error. */
  function holdNext(name: keyof Requests, groupId: string, type: string) {
    const original = requests[name]
    const asked = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    requests[name] = async function (payload) {
      if (payload.groupId !== groupId) return original.call(this, payload)
      requests[name] = original
      asked.resolve()
      await gate.promise
      throw new KafkaJSProtocolError({ type, message: type, code: 0, retriable: true })
    }
    return { asked: asked.promise, refuse: gate.resolve }
  }

  it('has its place when its broker restarts and knows the group as it was', async () => {
    const client = open.adopt(await topics.connect('member'), (it) => it.close())
    const handled: string[] = []
    const group = newId()
    const groupId = topics.config.KAFKA_TOPIC_PREFIX + group
    const consumer = await client.consume({
      group,
      topics: ['emails'],
      handle: async ({ value }) => void handled.push(value),
    })
    assert.ok(consumer.joined())

    const heartbeat = holdNext('heartbeat', groupId, 'NOT_COORDINATOR_FOR_GROUP')
    await heartbeat.asked
    const join = holdNext('joinGroup', groupId, 'GROUP_LOAD_IN_PROGRESS')
    heartbeat.refuse()
    await join.asked
    assert.equal(consumer.joined(), false)
    join.refuse()
    await client.publish('emails', { key: 'a', value: 'after' })

    await waitFor('it to read on', () => handled.includes('after'))
    await waitFor('it to say that it has its place', () => consumer.joined())
    assert.ok(consumer.reads('emails', 'a'))
  })
})
