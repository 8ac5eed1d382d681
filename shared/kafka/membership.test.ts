import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { createTestTopics, type TestTopics } from '../../test/helpers/topics.ts'
import { newId } from '../contracts/ids.ts'
import { waitFor } from '../runtime/wait-for.ts'

type Requests = Record<'heartbeat' | 'joinGroup', (payload: unknown) => Promise<unknown>>

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

  /** Has the broker answer the next request of a kind with an error. */
  function failOnce(name: keyof Requests, type: string) {
    const original = requests[name]
    const failed = Promise.withResolvers<void>()
    requests[name] = async () => {
      requests[name] = original
      failed.resolve()
      throw new KafkaJSProtocolError({ type, message: type, code: 0, retriable: true })
    }
    return failed.promise
  }

  it('has its place when its broker restarts and knows the group as it was', async () => {
    const client = open.adopt(await topics.connect('member'), (it) => it.close())
    const handled: string[] = []
    const consumer = await client.consume({
      group: newId(),
      topics: ['emails'],
      handle: async ({ value }) => void handled.push(value),
    })
    assert.ok(consumer.joined())

    const asked = failOnce('heartbeat', 'NOT_COORDINATOR_FOR_GROUP')
    await failOnce('joinGroup', 'GROUP_LOAD_IN_PROGRESS')
    await asked
    assert.equal(consumer.joined(), false)
    await client.publish('emails', { key: 'a', value: 'after' })

    await waitFor('it to read on', () => handled.includes('after'))
    await waitFor('it to say that it has its place', () => consumer.joined())
    assert.ok(consumer.reads('emails', 'a'))
  })
})
