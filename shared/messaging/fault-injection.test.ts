import assert from 'node:assert/strict'
import { newId } from '../contracts/ids.ts'
import type { Topic } from '../contracts/topics.ts'
import { createLogger } from '../runtime/logger.ts'
import { waitFor } from '../runtime/wait-for.ts'
import type { ConsumeOptions, Message, Outgoing } from './bus.ts'
import { Fault, injectFaults, injectProviderFaults } from './fault-injection.ts'

const logger = createLogger('test', 'silent')
const long = 60_000

describe('injected faults', () => {
  /** A client that notes what it is given, with the faults around it. */
  function clientWith(faults: Fault[], seed = 1) {
    const sent: string[] = []
    const handled: string[] = []
    let given: ConsumeOptions | undefined
    const client = injectFaults(
      {
        publish: async (_topic: Topic, { value }: Outgoing) => void sent.push(value),
        consume: async (options: ConsumeOptions) => {
          given = options
          return { joined: () => true, reads: () => true, close: async () => {} }
        },
      },
      { FAULTS: faults.map((fault) => Fault.parse(fault)), FAULT_SEED: seed },
      logger,
    )
    return {
      sent,
      handled,
      send: (value: string, { topic = 'replies' as Topic, key = 'a', command = value } = {}) =>
        client.publish(topic, { key, value, headers: { command } }),
      async handle(value: string) {
        const message = { topic: 'replies', key: 'a', headers: {}, value } as unknown as Message
        await client.consume({
          group: newId(),
          topics: ['replies'],
          handle: async (it) => void handled.push(it.value),
        })
        await given?.handle(message)
      },
    }
  }

  it('drop, duplicate and spoil the messages that they are for, and no others', async () => {
    const { send, sent } = clientWith([
      { message: 'drop', topics: ['replies'], names: ['lost'] },
      { message: 'duplicate', topics: ['replies'], names: ['twice'] },
      { message: 'poison', topics: ['replies'], names: ['spoilt'] },
    ])

    for (const value of ['lost', 'twice', 'spoilt', 'plain']) await send(value)
    await send('else', { topic: 'purchases', command: 'lost' })

    await waitFor('the second copy', () => sent.length === 5)
    assert.deepEqual(sent.toSorted(), ['else', 'plain', 'poison', 'twice', 'twice'])
  })

  it('delay a message, whose sender goes on', async () => {
    const { send, sent } = clientWith([{ message: 'delay', names: ['late'], ms: 50 }])

    await send('late')
    await send('next')

    assert.deepEqual(sent, ['next'])
    await waitFor('the late one', () => sent.length === 2)
  })

  it('hold a message until another one of its key has passed', async () => {
    const { send, sent } = clientWith([{ message: 'reorder', names: ['do'], ms: long }])

    await send('do')
    await send('do')
    await send('undo', { key: 'b' })
    assert.deepEqual(sent, ['undo'])

    await send('undo')

    await waitFor('the held ones', () => sent.length === 4)
    assert.deepEqual(sent, ['undo', 'undo', 'do', 'do'])
  })

  it('fail before a message is handled, or after it', async () => {
    const before = clientWith([{ at: 'before-handle', action: 'throw' }])
    const after = clientWith([{ at: 'after-handle', action: 'throw' }])

    await assert.rejects(before.handle('one'), /injected before-handle/)
    await assert.rejects(after.handle('one'), /injected after-handle/)

    assert.deepEqual([before.handled, after.handled], [[], ['one']])
  })

  it('fail before a message is sent, or after it', async () => {
    const before = clientWith([{ at: 'before-publish', action: 'throw' }])
    const after = clientWith([{ at: 'after-publish', action: 'throw' }])

    await assert.rejects(before.send('one'), /injected before-publish/)
    await assert.rejects(after.send('one'), /injected after-publish/)

    assert.deepEqual([before.sent, after.sent], [[], ['one']])
  })

  it('happen the n-th time, or at most a given number of times', async () => {
    const nth = clientWith([{ message: 'drop', nth: 2 }])
    const limited = clientWith([{ message: 'drop', limit: 2 }])

    for (const value of ['1', '2', '3']) await nth.send(value)
    for (const value of ['1', '2', '3']) await limited.send(value)

    assert.deepEqual([nth.sent, limited.sent], [['1', '3'], ['3']])
  })

  it('are the same for the same seed, with about the configured frequency', async () => {
    const values = Array.from({ length: 1_000 }, (_, index) => `${index}`)
    async function sentWith(seed: number) {
      const { send, sent } = clientWith([{ message: 'drop', probability: 0.1 }], seed)
      for (const value of values) await send(value)
      return sent
    }

    const [first, again, other] = await Promise.all([1, 1, 2].map(sentWith))

    assert.deepEqual(first, again)
    assert.notDeepEqual(first, other)
    assert.ok(first && first.length > 850 && first.length < 950, `${first?.length}`)
  })

  it('fail after the call of a provider that has done its work', async () => {
    const calls: string[] = []
    const note = (what: string) => async () => void calls.push(what)
    const provider = {
      capture: note('capture'),
      void: note('void'),
      refund: note('refund'),
      refundPart: note('refundPart'),
    }
    const FAULTS = [Fault.parse({ at: 'after-capture', action: 'throw' })]
    const drilled = injectProviderFaults(provider, { FAULTS, FAULT_SEED: 1 }, logger)

    await assert.rejects(drilled.capture(), /injected after-capture/)
    await drilled.void()

    assert.deepEqual(calls, ['capture', 'void'])
  })
})
