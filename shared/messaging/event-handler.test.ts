import assert from 'node:assert/strict'
import { newId } from '../contracts/ids.ts'
import type { ConsumeOptions, Message } from './bus.ts'
import { consumeEvents, type EventHandlers } from './event-handler.ts'
import { PoisonError } from './poison.ts'

const purchaseId = newId()

function received(event: string, body: object): Message {
  return {
    topic: 'purchases',
    partition: 0,
    offset: '0',
    key: purchaseId,
    headers: { event },
    value: JSON.stringify(body),
    timestamp: 0,
  }
}

/** A subscriber that takes its messages from the test instead of Kafka. */
async function setUp(handlers: EventHandlers) {
  let options: ConsumeOptions | undefined
  const consume = async (given: ConsumeOptions) => {
    options = given
    return { joined: () => true, reads: () => true, close: async () => undefined }
  }
  await consumeEvents({ consume }, { group: 'group', handlers })
  assert.ok(options)
  return options
}

describe('consumeEvents', () => {
  it('reads each topic of its events once', async () => {
    const ignore = async () => undefined
    const { topics } = await setUp({
      purchaseAccepted: ignore,
      settlementOverdue: ignore,
      purchaseEnded: ignore,
    })
    assert.deepEqual(topics, ['purchases', 'purchase-results'])
  })

  it('passes each event to its handler and ignores others', async () => {
    const bodies: unknown[] = []
    const { handle } = await setUp({ settlementOverdue: async (body) => void bodies.push(body) })
    await handle(received('settlementOverdue', { purchase_id: purchaseId }))
    const ended = { purchase_id: purchaseId, customer_id: null, reason: null, failed_step: null }
    await handle(received('purchaseEnded', { ...ended, status: 'REJECTED' }))
    assert.deepEqual(bodies, [{ purchase_id: purchaseId }])
  })

  it('skips a retired event that is still in the topic', async () => {
    const bodies: unknown[] = []
    const { handle } = await setUp({ settlementOverdue: async (body) => void bodies.push(body) })
    await handle(received('cancelWished', { purchase_id: purchaseId }))
    assert.deepEqual(bodies, [])
  })

  it('is not done with an event whose handler failed', async () => {
    const fault = new Error('the database is unavailable')
    const { handle } = await setUp({ settlementOverdue: () => Promise.reject(fault) })
    await assert.rejects(handle(received('settlementOverdue', { purchase_id: purchaseId })), fault)
  })

  it('calls an event that cannot be read poison', async () => {
    const { handle } = await setUp({ settlementOverdue: async () => undefined })
    await assert.rejects(handle(received('settlementOverdue', {})), PoisonError)
    await assert.rejects(handle(received('settlementDue', {})), PoisonError)
  })
})
