import assert from 'node:assert/strict'
import { AppError } from './errors.ts'
import { PoisonError } from './faults.ts'
import { newId } from './ids.ts'
import type { ConsumeOptions, Message } from './kafka.ts'
import { createLogger } from './logger.ts'
import {
  type Command,
  type CommandHandlers,
  consumeCommands,
  flagPoisonedEnd,
} from './participant.ts'
import type { Outgoing } from './publisher.ts'

type Handlers = CommandHandlers<'product-commands'>

const purchaseId = newId()
const body = { lines: [{ product_id: newId(), quantity: 2 }] }
const headers = {
  command: 'reserveStock',
  command_id: `${purchaseId}/reserve-stock`,
  purchase_id: purchaseId,
  workflow_id: 'workflow',
  run_id: 'run',
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
        ...overrides,
      },
    },
  )
  assert.ok(options?.onPoison)
  const { handle, onPoison } = options
  return { handle, onPoison, replies, handled, options }
}

describe('consumeCommands', () => {
  it('hands a command to its handler and sends what that answers', async () => {
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
    const away = new AppError('unavailable', 'Kafka does not take messages')
    const { handle, handled } = await setUp({}, async () => Promise.reject(away))
    await assert.rejects(handle(received({})), away)
    assert.equal(handled.length, 1)
  })

  it('is not done with a command whose handler failed, and answers nothing', async () => {
    const fault = new Error('the database is away')
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

    it('never when it is an undo, which would look as if it were done: an operator is told', async () => {
      const { onPoison, replies } = await setUp()
      await onPoison(received({ headers: { ...headers, command: 'releaseStock' } }), error)
      const flagged = replies.map(({ headers, value }) => [headers?.event, JSON.parse(value)])
      const reason = 'undo_poisoned'
      assert.deepEqual(flagged, [
        ['attentionNeeded', { purchase_id: purchaseId, steps: ['release-stock'], reason }],
      ])
    })

    it('not when nobody can tell whom', async () => {
      const { onPoison, replies } = await setUp()
      await onPoison(received({ headers: { command: 'reserveStock' } }), error)
      assert.deepEqual(replies, [])
    })

    it('or fails, so that it is tried again', async () => {
      const away = new AppError('unavailable', 'Kafka does not take messages')
      const { onPoison } = await setUp({}, async () => Promise.reject(away))
      await assert.rejects(onPoison(received({}), error), away)
    })
  })
})

describe('flagPoisonedEnd', () => {
  it('tells an operator of an end that cannot be settled, and of nothing else', async () => {
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
