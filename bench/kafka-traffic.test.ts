import assert from 'node:assert/strict'
import { trafficOf } from './kafka-traffic.ts'

const message = (id?: string) => ({
  key: Buffer.from('k'),
  value: Buffer.from('{}'),
  headers: id === undefined ? {} : { command_id: Buffer.from(id) },
})

describe('the traffic through Kafka', () => {
  it('counts a command as sent again when its id comes again', () => {
    const traffic = trafficOf([
      { topic: 'order-commands', message: message('1/create-order') },
      { topic: 'order-commands', message: message('1/create-order') },
      { topic: 'payment-commands', message: message('1/take-payment') },
      { topic: 'replies', message: message('1/create-order') },
    ])

    assert.equal(traffic.commands, 3)
    assert.equal(traffic.sentAgain, 1)
    assert.equal(traffic.messages, 4)
  })

  it('adds up key, value and headers', () => {
    const { bytes, byTopic } = trafficOf([
      { topic: 'purchases', message: message() },
      { topic: 'replies', message: message('12') },
    ])

    assert.equal(bytes, 3 + 3 + 'command_id'.length + 2)
    assert.deepEqual(byTopic.purchases, { messages: 1, bytes: 3 })
  })
})
