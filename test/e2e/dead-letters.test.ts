import assert from 'node:assert/strict'
import { connectKafkaState, type KafkaState } from '../../bench/kafka-state.ts'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { commandTopics } from '../../shared/contracts/steps.ts'
import type { Topic } from '../../shared/contracts/topics.ts'
import { connectAdmin, type KafkaAdmin } from '../../shared/kafka/admin.ts'
import { connectDeadLetters, type DeadLetterStore } from '../../shared/kafka/dead-letters.ts'
import { connectRawProducer, type RawProducer } from '../../shared/kafka/raw-messages.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { testStack } from '../helpers/stack.ts'
import { sellTea } from '../helpers/tea.ts'

/** Every group that there is, by the topic that it reads. */
const groups: Partial<Record<Topic, string[]>> = {
  purchases: ['orchestrator-purchases'],
  ...Object.fromEntries(commandTopics.map((topic) => [topic, [topic]])),
  replies: ['orchestrator-replies', 'purchase-progress'],
  'purchase-results': ['account-results', 'order-results', 'product-results', 'purchase-results'],
  emails: ['mail'],
}
const readTopics = Object.keys(groups) as Topic[]

describe('poison in a shop at work', function () {
  this.timeout(180_000)

  const open = new AsyncDisposableStack()
  let store: DeadLetterStore
  let producer: RawProducer
  let admin: KafkaAdmin
  let state: KafkaState

  before(async () => {
    const { urls } = await testStack()
    store = open.adopt(await connectDeadLetters(urls.kafkaBrokers), (it) => it.close())
    state = open.adopt(await connectKafkaState(urls.kafkaBrokers), (it) => it.close())
    producer = open.adopt(await connectRawProducer(urls.kafkaBrokers), (it) => it.close())
    admin = open.adopt(await connectAdmin(urls.kafkaBrokers), (it) => it.close())
  })

  after(() => open.disposeAsync())

  const deadLettersOf = async (key: string) =>
    (await store.list({ state: 'all' })).filter(({ message }) => String(message.key) === key)

  it('every group of the shop is in this table', async () => {
    const expected = new Set(Object.values(groups).flat())
    const found = (await admin.listGroups()).filter((group) => !/^(test|dead-letters)-/.test(group))

    assert.deepEqual(new Set(found), expected)
  })

  for (const topic of readTopics) {
    it(`on ${topic}: every group that reads it writes a dead letter, and goes on`, async () => {
      const key = newId()
      await producer.send(topic, { key, value: 'garbage', headers: { name: 'any' } })
      const deadLetters = await waitFor('a dead letter of each group', async () => {
        const found = await deadLettersOf(key)
        return found.length === groups[topic]?.length && found
      })

      assert.deepEqual(deadLetters.map(({ group }) => group).sort(), groups[topic])
      for (const { error, message, ...deadLetter } of deadLetters) {
        assert.match(error, /^PoisonError: ./)
        assert.deepEqual([deadLetter.topic, deadLetter.state], [topic, 'open'])
        assert.deepEqual([String(message.value), String(message.headers?.name)], ['garbage', 'any'])
      }
      for (const { id } of deadLetters) await store.discard(id, 'put in by a test')
    })
  }

  it('a command that comes again from its dead letter changes nothing', async () => {
    const { urls } = await testStack()
    const customer = await registerCustomer(urls.api)
    const product = await sellTea(customer, 10)
    const order_items = [{ product_id: product.id, quantity: 3 }]
    const purchaseId = (await customer.buy({ order_items })).body.purchase_id
    await customer.waitForEnd(purchaseId)
    await producer.send('dead-letters', {
      key: purchaseId,
      value: JSON.stringify({ lines: order_items }),
      headers: {
        command: 'reserveStock',
        command_id: `${purchaseId}/reserve-stock`,
        purchase_id: purchaseId,
        workflow_id: `purchase-${purchaseId}`,
        run_id: newId(),
        activity_id: 'reserve-stock',
        dead_letter_error: 'PoisonError: put in by a test',
        dead_letter_group: 'product-commands',
        dead_letter_topic: 'product-commands',
        dead_letter_partition: '0',
        // No message is there, so that this is not taken for a copy of another dead letter.
        dead_letter_offset: String(Date.now()),
        dead_letter_time: new Date().toISOString(),
      },
    })
    const [deadLetter] = await store.list({ purchaseId: purchaseId })
    await store.replay(deadLetter?.id ?? '')
    await store.replay(deadLetter?.id ?? '', { again: true })

    await waitFor('both to be handled', async () => {
      const lags = await state.lags()
      return lags.every(({ group, lag }) => group !== 'product-commands' || lag === 0)
    })
    const { body: shown } = await customer.get<{ inventory: number }>(`/products/${product.id}`)
    assert.equal(shown.inventory, 7)
    assert.deepEqual(
      (await deadLettersOf(purchaseId)).map(({ state }) => state),
      ['replayed'],
    )
  })
})
