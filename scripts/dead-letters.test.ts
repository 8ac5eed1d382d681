import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import type { Topic } from '../shared/contracts/topics.ts'
import { PoisonError } from '../shared/faults.ts'
import { newId } from '../shared/ids.ts'
import type { KafkaClient } from '../shared/kafka.ts'
import { createTestTopics, type TestTopics } from '../test/helpers/topics.ts'
import { connectDeadLetters, type DeadLetterStore, type Letter } from './dead-letter-store.ts'
import { waitFor } from './wait-for.ts'

const script = join(import.meta.dirname, 'dead-letters.ts')
const bytes = Buffer.from([0xff, 0x00, 0x80, 0x7b])

describe('dead letters', function () {
  this.timeout(60_000)

  const open = new AsyncDisposableStack()
  /** Keys that the consumer cannot handle; every other one it handles. */
  const poisonous = new Set<string>()
  const handled: { topic: Topic; key: string; headers: Record<string, string> }[] = []
  let topics: TestTopics
  let client: KafkaClient
  let store: DeadLetterStore
  let send: (
    topic: Topic,
    message: {
      key: string | null
      value: Buffer | string
      partition?: number
      headers?: Record<string, Buffer>
    },
  ) => Promise<unknown>

  before(async () => {
    topics = open.adopt(await createTestTopics(), (it) => it.close())
    const { KAFKA_BROKERS: brokers, KAFKA_TOPIC_PREFIX: prefix } = topics.config
    client = open.adopt(await topics.connect('letters'), (it) => it.close())
    store = open.adopt(await connectDeadLetters(brokers, prefix), (it) => it.close())
    const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
    await producer.connect()
    open.defer(() => producer.disconnect())
    send = (topic, message) => producer.send({ topic: prefix + topic, messages: [message] })
    await client.consume({
      group: 'reader',
      topics: ['replies', 'emails'],
      async handle({ topic, key, headers }) {
        if (poisonous.has(key)) throw new PoisonError(`${key} is poison`)
        handled.push({ topic, key, headers })
      },
    })
  })

  after(() => open.disposeAsync())

  /** Has one message dead-lettered; from then on its key is no poison any more. */
  async function poison(
    { topic = 'replies', ...message }: Partial<Parameters<typeof send>[1]> & { topic?: Topic } = {},
    key = newId(),
  ): Promise<Letter> {
    poisonous.add(key)
    await send(topic, { key, value: 'garbage', ...message })
    const letter = await waitFor('the letter', async () => {
      const letters = await store.list()
      return letters.find(({ message }) => String(message.key) === key)
    })
    poisonous.delete(key)
    return letter
  }

  const handledOf = (key: string) => handled.filter((one) => one.key === key)

  function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const { KAFKA_BROKERS, KAFKA_TOPIC_PREFIX } = topics.config
    const place = ['--brokers', KAFKA_BROKERS.join(), '--topic-prefix', KAFKA_TOPIC_PREFIX]
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [...process.execArgv, script, ...args, ...place],
        (error, stdout, stderr) => {
          resolve({ code: Number(error?.code ?? 0), stdout, stderr })
        },
      )
    })
  }

  async function runJson<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await run(...args, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as T
  }

  it('keep key, value and headers byte for byte, and say where they came from', async () => {
    const key = newId()
    const { message, ...letter } = await poison({ value: bytes, headers: { raw: bytes } }, key)

    assert.match(letter.id, /^dead-letters\/\d\/\d+$/)
    assert.deepEqual(message.value, bytes)
    assert.deepEqual(message.headers?.raw, bytes)
    assert.equal(String(message.key), key)
    assert.equal(letter.error, `PoisonError: ${key} is poison`)
    assert.deepEqual([letter.state, letter.topic, letter.group], ['open', 'replies', 'reader'])
    assert.match(letter.offset, /^\d+$/)
    assert.ok(Math.abs(Date.parse(letter.time) - Date.now()) < 60_000)
  })

  it('have room for the largest message', async () => {
    const { message } = await poison({ value: Buffer.alloc(1_040_000, 'x') })

    assert.equal(message.value?.length, 1_040_000)
  })

  it('are found by topic, purchase, age and state, page by page', async () => {
    const purchaseId = newId()
    const headers = { purchase_id: Buffer.from(purchaseId) }
    const mail = await poison({ topic: 'emails', headers })
    const reply = await poison({ headers })
    const ids = async (filter: Parameters<DeadLetterStore['list']>[0]) =>
      (await store.list({ purchaseId, ...filter })).map(({ id }) => id)

    assert.deepEqual(await ids({}), [mail.id, reply.id])
    assert.deepEqual(await ids({ topic: 'emails' }), [mail.id])
    assert.deepEqual(await ids({ minAgeMs: 3_600_000 }), [])
    assert.deepEqual(await ids({ minAgeMs: 0 }), [mail.id, reply.id])
    assert.deepEqual(await ids({ after: mail.id }), [reply.id])
    await store.discard(mail.id, 'seen')
    assert.deepEqual(await ids({}), [reply.id])
    assert.deepEqual(await ids({ state: 'discarded' }), [mail.id])
    assert.deepEqual(await ids({ state: 'all', after: mail.id }), [reply.id])
  })

  it('a replay sends the message as it was, marked with its letter', async () => {
    const key = newId()
    const { id } = await poison({ headers: { name: Buffer.from('ö') } }, key)
    const replayed = await store.replay(id, { note: 'mended' })

    assert.deepEqual([replayed.state, replayed.note], ['replayed', 'mended'])
    await waitFor('it to be handled', () => handledOf(key).length === 1)
    assert.deepEqual(handledOf(key), [
      { topic: 'replies', key, headers: { name: 'ö', dead_letter_replay: id } },
    ])
    assert.equal((await store.find(id)).state, 'replayed')
  })

  it('a second replay is refused, unless it is asked for', async () => {
    const key = newId()
    const { id } = await poison({}, key)
    await store.replay(id)

    await assert.rejects(store.replay(id), /was replayed already/)
    await assert.rejects(store.discard(id, 'no more'), /was replayed already/)
    await store.replay(id, { again: true })
    await waitFor('both', () => handledOf(key).length === 2)
  })

  it('a replay that is poison still becomes a letter of its own', async () => {
    const key = newId()
    const first = await poison({}, key)
    poisonous.add(key)
    await store.replay(first.id)
    const second = await waitFor('the second letter', async () => {
      const letters = await store.list()
      return letters.find(({ message }) => String(message.key) === key)
    })
    poisonous.delete(key)

    assert.notEqual(second.id, first.id)
    assert.equal(String(second.message.headers?.dead_letter_replay), first.id)
    await store.replay(second.id)
    await waitFor('it to be handled', () => handledOf(key).length === 1)
    assert.deepEqual(handledOf(key)[0]?.headers, { dead_letter_replay: second.id })
  })

  it('what a crash made a consumer write twice is one letter', async () => {
    const { message } = await poison()
    const before = (await store.list({ state: 'all' })).length
    await send('dead-letters', message as Parameters<typeof send>[1])

    assert.equal((await store.list({ state: 'all' })).length, before)
  })

  it('of copies in two partitions the older one is the letter', async () => {
    const { message } = await poison()
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
        await send('dead-letters', { key: null, value: 'garbage', partition, headers })
      }
    }

    const letters = await store.list({ purchaseId })
    assert.deepEqual(
      letters.map(({ id }) => id.split('/')[1]),
      ['0', '1'],
    )
  })

  it('reading them leaves no consumer group behind', async () => {
    await store.list()
    const admin = new Kafka({ brokers: topics.config.KAFKA_BROKERS, logLevel: 0 }).admin()
    await admin.connect()
    const { groups } = await admin.listGroups()
    await admin.disconnect()

    const ours = groups.filter(({ groupId }) =>
      groupId.startsWith(topics.config.KAFKA_TOPIC_PREFIX),
    )
    assert.deepEqual(
      ours.map(({ groupId }) => groupId),
      [`${topics.config.KAFKA_TOPIC_PREFIX}reader`],
    )
  })

  describe('on the command line', () => {
    type Page = { items: { id: string; state: string }[]; next_cursor: string | null }

    it('list shows a page and where the next begins', async () => {
      const purchaseId = newId()
      const headers = { purchase_id: Buffer.from(purchaseId) }
      const ids = [(await poison({ headers })).id, (await poison({ headers })).id]
      const list = (...args: string[]) =>
        runJson<Page>('list', '--purchase', purchaseId, '--limit', '1', ...args)

      const first = await list()
      const second = await list('--after', first.next_cursor ?? '')
      const text = await run('list', '--purchase', purchaseId)

      assert.deepEqual([first.items[0]?.id, first.next_cursor], [ids[0], ids[0]])
      assert.deepEqual([second.items[0]?.id, second.next_cursor], [ids[1], null])
      for (const id of ids) assert.ok(text.stdout.includes(id))
    })

    it('show tells all of one, bytes that are no text in base64', async () => {
      const { id } = await poison({ value: bytes })
      const shown = await runJson<Record<string, unknown>>('show', id)
      const text = await run('show', id)

      assert.deepEqual([shown.value, shown.value_encoding], [bytes.toString('base64'), 'base64'])
      assert.match(text.stdout, /dead_letter_group +reader/)
    })

    it('replay and discard do it once, with exit code 1 for the second time', async () => {
      const key = newId()
      const [one, other] = [await poison({}, key), await poison()]

      assert.equal((await run('replay', one.id, '--note', 'mended')).code, 0)
      assert.equal((await run('discard', other.id, '--note', 'of no use')).code, 0)
      const again = await run('replay', one.id)
      assert.deepEqual([again.code, again.stdout], [1, ''])
      assert.match(again.stderr, /--again/)
      assert.equal((await run('discard', other.id, '--note', 'twice')).code, 1)
      await waitFor('the replay', () => handledOf(key).length === 1)
      const page = await runJson<Page>('list', '--state', 'discarded', '--limit', '500')
      assert.ok(page.items.some(({ id }) => id === other.id))
    })

    it('exits 1 for a letter that is not there, and 2 for what it does not understand', async () => {
      const missing = await run('show', 'dead-letters/0/999999')
      assert.equal(missing.code, 1)
      assert.equal(missing.stderr, 'there is no letter dead-letters/0/999999\n')

      const mistakes = [
        [],
        ['lost'],
        ['list', '--state', 'gone'],
        ['list', '--topic', 'gone'],
        ['list', '--min-age', 'old'],
        ['list', '--limit', '0'],
        ['list', '--gone'],
        ['show'],
        ['show', '1'],
        ['discard', 'dead-letters/0/0'],
      ]
      const codes = await Promise.all(mistakes.map(async (args) => (await run(...args)).code))
      assert.deepEqual(
        codes,
        mistakes.map(() => 2),
      )
    })
  })
})
