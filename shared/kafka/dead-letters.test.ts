import assert from 'node:assert/strict'
import { type DeadLetters, openDeadLetters } from '../../test/helpers/dead-letters.ts'
import { newId } from '../contracts/ids.ts'
import { waitFor } from '../runtime/wait-for.ts'
import { connectAdmin } from './admin.ts'
import type { DeadLetterStore } from './dead-letters.ts'

const bytes = Buffer.from([0xff, 0x00, 0x80, 0x7b])

describe('dead letters', function () {
  this.timeout(180_000)

  let deadLetters: DeadLetters

  before(async () => {
    deadLetters = await openDeadLetters()
  })

  after(() => deadLetters.close())

  it('keep key, value and headers byte for byte, and say where they came from', async () => {
    const key = newId()
    const { message, ...deadLetter } = await deadLetters.poison(
      { value: bytes, headers: { raw: bytes } },
      key,
    )

    assert.match(deadLetter.id, /^dead-letters\/\d\/\d+$/)
    assert.deepEqual(message.value, bytes)
    assert.deepEqual(message.headers?.raw, bytes)
    assert.equal(String(message.key), key)
    assert.equal(deadLetter.error, `PoisonError: ${key} is poison`)
    assert.deepEqual(
      [deadLetter.state, deadLetter.topic, deadLetter.group],
      ['open', 'replies', 'reader'],
    )
    assert.match(deadLetter.offset, /^\d+$/)
    assert.ok(Math.abs(Date.parse(deadLetter.time) - Date.now()) < 60_000)
  })

  it('have room for the largest message', async () => {
    const { message } = await deadLetters.poison({ value: Buffer.alloc(1_040_000, 'x') })

    assert.equal(message.value?.length, 1_040_000)
  })

  it('are found by topic, purchase, age and state, page by page', async () => {
    const purchaseId = newId()
    const headers = { purchase_id: Buffer.from(purchaseId) }
    const mail = await deadLetters.poison({ topic: 'emails', headers })
    const reply = await deadLetters.poison({ headers })
    const ids = async (filter: Parameters<DeadLetterStore['list']>[0]) =>
      (await deadLetters.store.list({ purchaseId, ...filter })).map(({ id }) => id)

    assert.deepEqual(await ids({}), [mail.id, reply.id])
    assert.deepEqual(await ids({ topic: 'emails' }), [mail.id])
    assert.deepEqual(await ids({ minAgeMs: 3_600_000 }), [])
    assert.deepEqual(await ids({ minAgeMs: 0 }), [mail.id, reply.id])
    assert.deepEqual(await ids({ after: mail.id }), [reply.id])
    await deadLetters.store.discard(mail.id, 'seen')
    assert.deepEqual(await ids({}), [reply.id])
    assert.deepEqual(await ids({ state: 'discarded' }), [mail.id])
    assert.deepEqual(await ids({ state: 'all', after: mail.id }), [reply.id])
  })

  it('are found by the time at which they became one, its end excluded', async () => {
    const purchaseId = newId()
    const { id, time } = await deadLetters.poison({
      headers: { purchase_id: Buffer.from(purchaseId) },
    })
    const ids = async (filter: Parameters<DeadLetterStore['list']>[0]) =>
      (await deadLetters.store.list({ purchaseId, ...filter })).map((found) => found.id)
    const from = new Date(time)
    const to = new Date(from.getTime() + 1)

    assert.deepEqual(await ids({ from, to }), [id])
    assert.deepEqual(await ids({ from: to }), [])
    assert.deepEqual(await ids({ to: from }), [])
  })

  it('a replay sends the message as it was, marked with its dead letter', async () => {
    const key = newId()
    const { id } = await deadLetters.poison({ headers: { name: Buffer.from('ö') } }, key)
    const replayed = await deadLetters.store.replay(id, { note: 'fixed' })

    assert.deepEqual([replayed.state, replayed.note], ['replayed', 'fixed'])
    await waitFor('it to be handled', () => deadLetters.handledOf(key).length === 1)
    assert.deepEqual(deadLetters.handledOf(key), [
      { topic: 'replies', key, headers: { name: 'ö', dead_letter_replay: id } },
    ])
    assert.equal((await deadLetters.store.find(id)).state, 'replayed')
  })

  it('a second replay is refused, unless it is asked for', async () => {
    const key = newId()
    const { id } = await deadLetters.poison({}, key)
    await deadLetters.store.replay(id)

    await assert.rejects(deadLetters.store.replay(id), /was replayed already/)
    await assert.rejects(deadLetters.store.discard(id, 'no more'), /was replayed already/)
    await deadLetters.store.replay(id, { again: true })
    await waitFor('both', () => deadLetters.handledOf(key).length === 2)
  })

  it('a replay that is poison still becomes a dead letter of its own', async () => {
    const key = newId()
    const first = await deadLetters.poison({}, key)
    deadLetters.poisonous.add(key)
    await deadLetters.store.replay(first.id)
    const second = await deadLetters.deadLetterOf(key)
    deadLetters.poisonous.delete(key)

    assert.notEqual(second.id, first.id)
    assert.equal(String(second.message.headers?.dead_letter_replay), first.id)
    await deadLetters.store.replay(second.id)
    await waitFor('it to be handled', () => deadLetters.handledOf(key).length === 1)
    assert.deepEqual(deadLetters.handledOf(key)[0]?.headers, { dead_letter_replay: second.id })
  })

  it('what a crash made a consumer write twice is one dead letter', async () => {
    const { message } = await deadLetters.poison()
    const before = (await deadLetters.store.list({ state: 'all' })).length
    await deadLetters.send('dead-letters', message)

    assert.equal((await deadLetters.store.list({ state: 'all' })).length, before)
  })

  it('of copies in two partitions the older one is the dead letter', async () => {
    const { message } = await deadLetters.poison()
    const purchaseId = newId()
    // Whichever partition is read first: it has the newer copy of one of the two.
    for (const older of [0, 1]) {
      for (const [partition, time] of [
        [older, `2026-01-01T00:00:0${older}.000Z`],
        [1 - older, '2026-01-02T00:00:00.000Z'],
      ] as const) {
        const headers = {
          ...(message.headers as Record<string, Buffer>),
          purchase_id: Buffer.from(purchaseId),
          dead_letter_offset: Buffer.from(String(1_000_000 + older)),
          dead_letter_time: Buffer.from(time),
        }
        await deadLetters.send('dead-letters', { key: null, value: 'garbage', partition, headers })
      }
    }

    const found = await deadLetters.store.list({ purchaseId })
    assert.deepEqual(
      found.map(({ id }) => id.split('/')[1]),
      ['0', '1'],
    )
  })

  it('reading them leaves no consumer group', async () => {
    await deadLetters.store.list()
    const { brokers, prefix } = deadLetters
    const admin = await connectAdmin(brokers)
    const groups = await admin.listGroups()
    await admin.close()

    assert.deepEqual(
      groups.filter((group) => group.startsWith(prefix)),
      [`${prefix}reader`],
    )
  })
})
