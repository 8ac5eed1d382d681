import assert from 'node:assert/strict'
import type { Topic } from '../contracts/topics.ts'
import type { Message, Outgoing } from './bus.ts'
import {
  parseEvent,
  parseHeaders,
  parseReply,
  parseRequest,
  sendCommand,
  sendEvent,
  sendReply,
} from './messages.ts'
import { PoisonError } from './poison.ts'

const purchaseId = '0192f0c1-2b3c-7d4e-8f50-617283940a1b'
const productId = '0192f0c1-2b3c-7d4e-8f50-617283940a1c'

const headers = {
  command_id: `${purchaseId}/reserve-stock`,
  purchase_id: purchaseId,
  workflow_id: `purchase-${purchaseId}`,
  run_id: '0190a1b2-0000-7000-8000-000000000001',
  activity_id: 'reserve-stock',
}
const body = { lines: [{ product_id: productId, quantity: 2 }] }
const commandHeaders = { ...headers, command: 'reserveStock' }

/** Takes what is published instead of Kafka. */
function setUp() {
  const sent: { topic: Topic; message: Outgoing; deadlineMs?: number | undefined }[] = []
  return {
    sent,
    async publish(topic: Topic, message: Outgoing, deadlineMs?: number) {
      sent.push({ topic, message, deadlineMs })
    },
  }
}

function received({ value = '{}', ...rest }: Partial<Outgoing>): Message {
  return {
    topic: 'replies',
    partition: 0,
    offset: '0',
    key: '',
    headers: {},
    timestamp: 0,
    value,
    ...rest,
  }
}

function poison(message: RegExp) {
  return (error: unknown) => error instanceof PoisonError && message.test(error.message)
}

describe('a command', () => {
  it('goes to its participant, keyed by its purchase', async () => {
    const { publish, sent } = setUp()
    const full = { ...headers, traceparent: '00-1-2-01', deadline: 1_700_000_000_000 }
    await sendCommand(publish, 'reserveStock', full, body, 500)
    assert.deepEqual(sent, [
      {
        topic: 'product-commands',
        message: {
          key: purchaseId,
          headers: {
            ...headers,
            command: 'reserveStock',
            traceparent: '00-1-2-01',
            deadline: '1700000000000',
          },
          value: `{"lines":[{"product_id":"${productId}","quantity":2}]}`,
        },
        deadlineMs: 500,
      },
    ])
  })

  it('has no header for an absent value', async () => {
    const { publish, sent } = setUp()
    await sendCommand(publish, 'reserveStock', { ...headers, deadline: undefined }, body)
    assert.deepEqual(sent[0]?.message.headers, commandHeaders)
  })

  it('is read as it was written', async () => {
    const { publish, sent } = setUp()
    const full = { ...headers, traceparent: '00-1-2-01', deadline: 1_700_000_000_000 }
    await sendCommand(publish, 'reserveStock', full, body)
    const message = received(sent[0]?.message ?? {})
    assert.deepEqual(parseHeaders(message), { ...full, command: 'reserveStock' })
    assert.deepEqual(parseRequest('reserveStock', message), body)
  })

  it('may have unknown headers', () => {
    const message = received({ headers: { ...commandHeaders, baggage: 'x' } })
    assert.deepEqual(parseHeaders(message), commandHeaders)
  })

  for (const [what, bad] of [
    ['command', 'toString'],
    ['purchase_id', 'x'],
    ['command_id', ''],
    ['command_id', 'x'.repeat(12_000)],
    ['workflow_id', 'x'.repeat(12_000)],
    ['activity_id', 'x'.repeat(12_000)],
    ['run_id', ''],
    ['run_id', 'abc'],
    ['traceparent', 'x'.repeat(12_000)],
    ['deadline', 'soon'],
  ] as const) {
    it(`is poison when its ${what} is '${bad.slice(0, 10)}', ${bad.length} characters`, () => {
      const message = received({ headers: { ...commandHeaders, [what]: bad } })
      assert.throws(() => parseHeaders(message), poison(new RegExp(`^bad headers: ${what}: `)))
    })
  }

  for (const [what, value, message] of [
    ['is not JSON', '{', /^the value is not JSON$/],
    ['is empty', '', /^the value is not JSON$/],
    ['is null', 'null', /^bad value: /],
    [
      'has more lines than a purchase',
      JSON.stringify({ lines: Array(10_000).fill(body.lines[0]) }),
      /^bad value: lines: /,
    ],
    ['has no lines', '{"lines":[]}', /^bad value: lines: /],
    ['has a field that is not known', JSON.stringify({ ...body, x: 1 }), /^bad value: /],
    ['names no product', '{"lines":[{"product_id":"x","quantity":1}]}', /lines\.0\.product_id: /],
  ] as const) {
    it(`is poison when its body ${what}`, () => {
      assert.throws(() => parseRequest('reserveStock', received({ value })), poison(message))
    })
  }
})

describe('a reply', () => {
  it('goes back with the headers of its command, which are the way to its activity', async () => {
    const { publish, sent } = setUp()
    const command = { ...headers, command: 'reserveStock' as const, deadline: 1_700_000_000_000 }
    await sendReply(publish, command, { outcome: 'done' })
    assert.deepEqual(sent[0]?.topic, 'replies')
    assert.deepEqual(sent[0]?.message, {
      key: purchaseId,
      headers: commandHeaders,
      value: '{"outcome":"done"}',
    })
  })

  it('is read as the reply to its command', () => {
    const rejected = { outcome: 'rejected', reason: 'out_of_stock' }
    const message = received({ value: JSON.stringify(rejected) })
    assert.deepEqual(parseReply('reserveStock', message), rejected)
    assert.throws(() => parseReply('releaseStock', message), poison(/^bad value: outcome: /))
  })

  it('is poison when its command would not answer so', () => {
    const done = received({ value: '{"outcome":"done"}' })
    assert.throws(() => parseReply('takePayment', done), poison(/^bad value: provider_reference: /))
    const unheard = received({ value: '{"outcome":"rejected","reason":"why not"}' })
    assert.throws(() => parseReply('takePayment', unheard), poison(/^bad value: reason: /))
  })
})

describe('an event', () => {
  const ended = {
    purchase_id: purchaseId,
    customer_id: productId,
    status: 'COMPLETED' as const,
    reason: null,
    failed_step: null,
  }

  it('goes to its topic, keyed by its purchase', async () => {
    const { publish, sent } = setUp()
    await sendEvent(publish, 'purchaseEnded', ended, 700)
    assert.deepEqual(sent, [
      {
        topic: 'purchase-results',
        message: {
          key: purchaseId,
          headers: { event: 'purchaseEnded', purchase_id: purchaseId },
          value: JSON.stringify(ended),
        },
        deadlineMs: 700,
      },
    ])
  })

  it('is read by its name', async () => {
    const { publish, sent } = setUp()
    await sendEvent(publish, 'purchaseEnded', ended)
    const message = received(sent[0]?.message ?? {})
    assert.deepEqual(parseEvent(message), { name: 'purchaseEnded', body: ended })
  })

  it('may have unknown fields', () => {
    const value = JSON.stringify({ ...ended, more: 1 })
    const message = received({ headers: { event: 'purchaseEnded' }, value })
    assert.deepEqual(parseEvent(message)?.body, ended)
  })

  for (const name of ['', 'toString', 'purchaseBegun']) {
    it(`is poison when nobody knows it: '${name}'`, () => {
      const message = received({ headers: { event: name }, value: JSON.stringify(ended) })
      assert.throws(() => parseEvent(message), poison(/^unknown event /))
    })
  }

  it('is nothing when it is retired, whatever it says', () => {
    const message = received({ headers: { event: 'cancelWished' }, value: 'no JSON' })
    assert.equal(parseEvent(message), undefined)
  })

  it('is poison when it has no name or another body', () => {
    assert.throws(() => parseEvent(received({})), poison(/^unknown event ''$/))
    const message = received({ headers: { event: 'purchaseEnded' }, value: '{"status":"GONE"}' })
    assert.throws(() => parseEvent(message), poison(/^bad value: purchase_id: /))
  })
})
