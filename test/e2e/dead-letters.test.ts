import assert from 'node:assert/strict'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { connectKafkaState, type KafkaState } from '../../bench/kafka-state.ts'
import { connectDeadLetters, type DeadLetterStore } from '../../scripts/dead-letter-store.ts'
import { registerCustomer } from '../../scripts/shop-client.ts'
import { waitFor } from '../../scripts/wait-for.ts'
import type { Topic } from '../../shared/contracts/topics.ts'
import { newId } from '../../shared/ids.ts'
import { testStack } from '../helpers/stack.ts'

/** Every group that there is, by the topic that it reads. */
const groups: Partial<Record<Topic, string[]>> = {
  purchases: ['orchestrator-purchases'],
  'product-commands': ['product-commands'],
  'order-commands': ['order-commands'],
  'payment-commands': ['payment-commands'],
  replies: ['orchestrator-replies', 'purchase-progress'],
  'purchase-results': ['account-results', 'order-results', 'product-results', 'purchase-results'],
  emails: ['mail'],
}
const readTopics = Object.keys(groups) as Topic[]

describe('poison in a shop at work', function () {
  this.timeout(90_000)

  const open = new AsyncDisposableStack()
  let store: DeadLetterStore
  let send: (topic: Topic, message: object) => Promise<unknown>
  let state: KafkaState
  let listGroups: () => Promise<string[]>

  before(async () => {
    const { urls } = await testStack()
    store = open.adopt(await connectDeadLetters(urls.kafkaBrokers), (it) => it.close())
    state = open.adopt(await connectKafkaState(urls.kafkaBrokers), (it) => it.close())
    const kafka = new Kafka({ brokers: urls.kafkaBrokers, logLevel: logLevel.NOTHING })
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
    await producer.connect()
    open.defer(() => producer.disconnect())
    const admin = kafka.admin()
    await admin.connect()
    open.defer(() => admin.disconnect())
    send = (topic, message) => producer.send({ topic, messages: [message as { value: string }] })
    listGroups = async () => (await admin.listGroups()).groups.map(({ groupId }) => groupId)
  })

  after(() => open.disposeAsync())

  const lettersOf = async (key: string) =>
    (await store.list({ state: 'all' })).filter(({ message }) => String(message.key) === key)

  it('every group of the shop is in this table', async () => {
    const expected = new Set(Object.values(groups).flat())
    const found = (await listGroups()).filter((group) => !/^(test|dead-letters)-/.test(group))

    assert.deepEqual(new Set(found), expected)
  })

  for (const topic of readTopics) {
    it(`on ${topic}: every group that reads it writes a letter, and goes on`, async () => {
      const key = newId()
      await send(topic, { key, value: 'garbage', headers: { name: 'any' } })
      const letters = await waitFor(
        'a letter of each group',
        async () => {
          const found = await lettersOf(key)
          return found.length === groups[topic]?.length && found
        },
        30_000,
      )

      assert.deepEqual(letters.map(({ group }) => group).sort(), groups[topic])
      for (const { error, message, ...letter } of letters) {
        assert.match(error, /^PoisonError: ./)
        assert.deepEqual([letter.topic, letter.state], [topic, 'open'])
        assert.deepEqual([String(message.value), String(message.headers?.name)], ['garbage', 'any'])
      }
      for (const { id } of letters) await store.discard(id, 'put in by a test')
    })
  }

  it('a command that comes again from its letter changes nothing', async () => {
    const { urls } = await testStack()
    const customer = await registerCustomer(urls.api)
    const category = await customer.createCategory(`Tea ${newId()}`)
    const product = await customer.createProduct({
      category_id: category.id,
      name: 'Tea',
      description: 'Leaves',
      brand_name: 'Hill',
      price: 125,
      inventory: 10,
    })
    const order_items = [{ product_id: product.id, quantity: 3 }]
    const purchaseId = (await customer.buy({ order_items })).body.purchase_id
    await customer.waitForEnd(purchaseId)
    await send('dead-letters', {
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
        // No message is there, so that this is not taken for a copy of another letter.
        dead_letter_offset: String(Date.now()),
        dead_letter_time: new Date().toISOString(),
      },
    })
    const [letter] = await store.list({ purchaseId: purchaseId })
    await store.replay(letter?.id ?? '')
    await store.replay(letter?.id ?? '', { again: true })

    await waitFor('both to be handled', async () => {
      const lags = await state.lags()
      return lags.every(({ group, lag }) => group !== 'product-commands' || lag === 0)
    })
    const { body: shown } = await customer.get<{ inventory: number }>(`/products/${product.id}`)
    assert.equal(shown.inventory, 7)
    assert.deepEqual(
      (await lettersOf(purchaseId)).map(({ state }) => state),
      ['replayed'],
    )
  })
})
