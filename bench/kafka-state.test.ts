import assert from 'node:assert/strict'
import { topics } from '../shared/contracts/topics.ts'
import { connectAdmin, type KafkaAdmin } from '../shared/kafka/admin.ts'
import { connectRawProducer } from '../shared/kafka/raw-messages.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import { type Broker, startBroker } from '../test/helpers/broker.ts'
import { connectKafkaState, type KafkaState } from './kafka-state.ts'

const topic = 'payment-commands'
const messages = 3

describe('the state of Kafka', function () {
  // It starts a broker.
  this.timeout(300_000)

  let broker: Broker
  let admin: KafkaAdmin
  let state: KafkaState

  before(async () => {
    broker = await startBroker()
    admin = await connectAdmin(broker.brokers)
    // A broker that is busy may not answer in time, whether it has made them or not.
    await waitFor('the topics', async () => {
      await admin.createTopics(topics.map((name) => ({ name, partitions: 1 })))
      return true
    })
    const producer = await connectRawProducer(broker.brokers)
    for (let n = 0; n < messages; n++) await producer.send(topic, { key: `${n}`, value: '{}' })
    await producer.close()
    state = await connectKafkaState(broker.brokers)
  })

  after(async () => {
    await state?.close()
    await admin?.close()
    await broker?.close()
  })

  it('has the lag of the groups of the shop, and of no foreign group that lags too', async () => {
    // A broker that has just started has no coordinator of groups yet, and each group has its own.
    await waitFor('the groups', async () => {
      await admin.commit('payment-commands', topic, [1])
      await admin.commit('console-of-an-operator', topic, [0])
      return true
    })

    const everyone = await admin.groupLags(topics)
    const ours = await state.lags()

    assert.deepEqual(
      everyone
        .filter(({ lag }) => lag > 0)
        .map(({ group }) => group)
        .sort(),
      ['console-of-an-operator', 'payment-commands'],
    )
    assert.deepEqual(ours, [{ group: 'payment-commands', topic, lag: 2 }])
  })

  it('has no lag when only a foreign group has one', async () => {
    await admin.commit('payment-commands', topic, [messages])
    await admin.commit('console-of-an-operator', topic, [0])

    assert.deepEqual(await state.lags(), [{ group: 'payment-commands', topic, lag: 0 }])
  })
})
