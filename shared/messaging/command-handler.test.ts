import assert from 'node:assert/strict'
import { newId } from '../contracts/ids.ts'
import { AppError } from '../runtime/errors.ts'
import { createLogger } from '../runtime/logger.ts'
import type { ConsumeOptions, Message, Outgoing } from './bus.ts'
import {
  type Command,
  type CommandHandlers,
  consumeCommands,
  flagPoisonedEnd,
} from './command-handler.ts'
import { PoisonError } from './poison.ts'

type Handlers = CommandHandlers<'product-commands'>

const purchaseId = newId()
const body = { lines: [{ product_id: newId(), quantity: 2 }] }
const headers = {
  command: 'reserveStock',
  command_id: `${purchaseId}/reserve-stock`,
  purchase_id: purchaseId,
  workflow_id: 'workflow',
  run_id: '0190a1b2-0000-7000-8000-000000000001',
  activity_id: 'activity',
}

function received(message: Partial<Message>): Message {
  return {
    topic: 'product-commands',
    partition: 0,
    offset: '0',
    key: purchaseId,
    headers,
    value: JSON.stringify(body),
    timestamp: 0,
    ...message,
  }
}

/** A participant that takes its messages from the test instead of Kafka. */
async function setUp(overrides: Partial<Handlers> = {}, publish?: () => Promise<void>) {
  const replies: Outgoing[] = []
  const handled: Command<'reserveStock' | 'releaseStock'>[] = []
  let options: ConsumeOptions | undefined
  await consumeCommands(
    {
      async consume(given) {
        options = given
        return { joined: () => true, reads: () => true, close: async () => undefined }
      },
      publish: publish ?? (async (_topic, message) => void replies.push(message)),
    },
    {
      group: 'product-commands',
      topic: 'product-commands',
      logger: createLogger('test', 'silent'),
      handlers: {
        async reserveStock(command) {
          handled.push(command)
          return { outcome: 'done' }
        },
        async releaseStock(command) {
          handled.push(command)
          return { outcome: 'done' }
        },
        returnStock: async () => ({ outcome: 'done' }),
        ...overrides,
      },
    },
  )
  assert.ok(options?.onPoison)
  const { handle, onPoison } = options
  return { handle, onPoison, replies, handled, options }
}

describe('consumeCommands', () => {
  it('passes a command to its handler and sends the reply', async () => {
    const { handle, handled, replies, options } = await setUp({
      reserveStock: async (command) => {
        handled.push(command)
        return { outcome: 'rejected', reason: 'out_of_stock' }
      },
    })
    await handle(received({ headers: { ...headers, deadline: '1700000000000' } }))

    assert.deepEqual([options.group, options.topics], ['product-commands', ['product-commands']])
    assert.deepEqual(handled, [
      {
        name: 'reserveStock',
        commandId: headers.command_id,
        purchaseId,
        deadline: 1_700_000_000_000,
        body,
      },
    ])
    const value = '{"outcome":"rejected","reason":"out_of_stock"}'
    assert.deepEqual(replies, [{ key: purchaseId, headers, value }])
  })

  it('is not done with a command whose reply could not be sent', async () => {
    const unavailable = new AppError('unavailable', 'Kafka does not take messages')
    const { handle, handled } = await setUp({}, async () => Promise.reject(unavailable))
    await assert.rejects(handle(received({})), unavailable)
    assert.equal(handled.length, 1)
  })

  it('is not done with a command whose handler failed, and answers nothing', async () => {
    const fault = new Error('the database is unavailable')
    const { handle, replies } = await setUp({ reserveStock: () => Promise.reject(fault) })
    await assert.rejects(handle(received({})), fault)
    assert.deepEqual(replies, [])
  })

  for (const [what, message] of Object.entries({
    'bad headers': { headers: {} },
    'a command of another participant': { headers: { ...headers, command: 'createOrder' } },
    'a bad body': { value: '{"lines":[]}' },
    'a body that is not JSON': { value: '' },
  })) {
    it(`calls ${what} poison, and handles nothing`, async () => {
      const { handle, handled, replies } = await setUp()
      await assert.rejects(handle(received(message)), PoisonError)
      assert.deepEqual([handled, replies], [[], []])
    })
  }

  describe('answers poison', () => {
    const error = new PoisonError('bad')

    it('with a refusal when it is a do', async () => {
      const { onPoison, replies } = await setUp()
      await onPoison(received({ value: '{' }), error)
      const value = '{"outcome":"rejected","reason":"invalid"}'
      assert.deepEqual(replies, [{ key: purchaseId, headers, value }])
    })

    it('never when it is an undo, which would then count as done: it notifies an operator', async () => {
      const { onPoison, replies } = await setUp()
      await onPoison(received({ headers: { ...headers, command: 'releaseStock' } }), error)
      const flagged = replies.map(({ headers, value }) => [headers?.event, JSON.parse(value)])
      const reason = 'undo_poisoned'
      assert.deepEqual(flagged, [
        ['attentionNeeded', { purchase_id: purchaseId, steps: ['release-stock'], reason }],
      ])
    })

    it('not when the sender is unknown', async () => {
      const { onPoison, replies } = await setUp()
      await onPoison(received({ headers: { command: 'reserveStock' } }), error)
      assert.deepEqual(replies, [])
    })

    it('or fails, so that the message is retried', async () => {
      const unavailable = new AppError('unavailable', 'Kafka does not take messages')
      const { onPoison } = await setUp({}, async () => Promise.reject(unavailable))
      await assert.rejects(onPoison(received({}), error), unavailable)
    })
  })
})

describe('flagPoisonedEnd', () => {
  it('notifies an operator of an end that cannot be settled, and of nothing else', async () => {
    const told: Outgoing[] = []
    const publish = async (_topic: string, message: Outgoing) => void told.push(message)
    const message = (event: string, id = purchaseId) =>
      received({ topic: 'purchase-results', headers: { event, purchase_id: id }, value: '{' })

    await flagPoisonedEnd(publish, message('purchaseEnded'))
    await flagPoisonedEnd(publish, message('purchaseEnded', 'x'))
    await flagPoisonedEnd(publish, message('attentionNeeded'))

    assert.deepEqual(
      told.map(({ value }) => JSON.parse(value)),
      [{ purchase_id: purchaseId, steps: [], reason: 'settlement_poisoned' }],
    )
  })
})
