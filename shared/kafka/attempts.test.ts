import assert from 'node:assert/strict'
import { createTestTopics, type TestTopics, testConcurrency } from '../../test/helpers/topics.ts'
import { newId } from '../contracts/ids.ts'
import { NoReplyError, PoisonError } from '../messaging/poison.ts'
import { AppError } from '../runtime/errors.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { waitFor } from '../runtime/wait-for.ts'
import type { KafkaClient } from './client.ts'

const codedError = (code: string) => Object.assign(new Error(), { code })

const partitions = 2
/** Ten tries take this long, and then some. */
const patienceMs = 120_000

describe('what a handler throws decides', function () {
  this.timeout(180_000)

  const topic = 'replies'
  const group = newId()
  /** What each try of a message throws, by its key; once all are thrown, it is handled. */
  const failures: Record<string, unknown[]> = {
    outage: Array.from({ length: 11 }, () => codedError('ECONNREFUSED')),
    transient: Array.from({ length: 9 }, () => new Error('in words that nobody knows')),
    unknown: Array.from({ length: 10 }, () => new Error('in words that nobody knows')),
    unavailable: Array.from(
      { length: 6 },
      () => new AppError('unavailable', 'Kafka does not answer'),
    ),
    text: ['not even an error'],
    deterministic: Array.from({ length: 5 }, () => new AppError('invalid', 'never')),
    'nearly deterministic': Array.from({ length: 4 }, () => new SyntaxError('not yet')),
    mixed: [
      ...Array.from({ length: 4 }, () => new SyntaxError('?')),
      codedError('EPIPE'),
      new SyntaxError('once'),
    ],
    poison: [new PoisonError('cannot be read')],
    'no reply': [new NoReplyError('the provider does not answer')],
    unanswered: [new PoisonError('cannot be read'), new PoisonError('cannot be read')],
    unanswerable: Array.from({ length: 5 }, () => new PoisonError('cannot be read')),
  }
  const tries: string[] = []
  const handled: string[] = []
  const poisoned: string[] = []
  let topics: TestTopics
  let client: KafkaClient
  let send: Awaited<ReturnType<TestTopics['connectProducer']>>
  let deadLetters: Awaited<ReturnType<TestTopics['read']>>
  const metrics = createMetrics('test')

  before(async () => {
    topics = await createTestTopics({ partitions })
    deadLetters = await topics.read('dead-letters')
    client = await topics.connect('kafka-test', { metrics })
    send = await topics.connectProducer()
    let refuseOnce = true
    await client.consume({
      group,
      topics: [topic],
      async handle({ key }) {
        const failure = failures[key]?.[tries.filter((tried) => tried === key).length]
        tries.push(key)
        if (key === 'too large') throw new PoisonError('cannot be read')
        if (failure) throw failure
        handled.push(key)
      },
      async onPoison({ key }, error) {
        poisoned.push(`${key}: ${error.message}`)
        if (key === 'unanswerable') throw new Error('the answer has no place to go to')
        if (key !== 'unanswered' || !refuseOnce) return
        refuseOnce = false
        throw new Error('the answer cannot be sent')
      },
    })
    for (const key of Object.keys(failures)) {
      await send(topic, {
        key,
        value: `value of ${key}`,
        headers: { name: key },
        partition: 1,
      })
    }
  })

  after(async () => {
    await client.close()
    await topics.close()
  })

  const triesOf = (key: string) => tries.filter((tried) => tried === key).length
  const deadLettersOf = (key: string) => deadLetters.filter((deadLetter) => deadLetter.key === key)
  const deadLetterOf = (key: string) =>
    waitFor(`the dead letter of ${key}`, () => deadLettersOf(key)[0], patienceMs)

  for (const key of [
    'outage',
    'transient',
    'unavailable',
    'text',
    'nearly deterministic',
    'mixed',
  ]) {
    it(`${key}: it is tried again until it is handled`, async () => {
      await waitFor('it to be handled', () => handled.includes(key), patienceMs)
      assert.equal(triesOf(key), (failures[key]?.length ?? 0) + 1)
      assert.deepEqual(deadLettersOf(key), [])
    })
  }

  it('deterministic: it is dead-lettered after five tries', async () => {
    await deadLetterOf('deterministic')
    assert.equal(triesOf('deterministic'), 5)
    assert.ok(poisoned.includes('deterministic: never'))
  })

  it('unknown: it is dead-lettered after ten tries', async () => {
    await deadLetterOf('unknown')
    assert.equal(triesOf('unknown'), 10)
    assert.ok(poisoned.includes('unknown: in words that nobody knows'))
  })

  it('poison: it is dead-lettered at once, as it came and with where it came from', async () => {
    const deadLetter = await deadLetterOf('poison')
    assert.equal(triesOf('poison'), 1)
    assert.equal(deadLetter.value, 'value of poison')
    const { dead_letter_offset, dead_letter_time, ...headers } = deadLetter.headers
    assert.match(dead_letter_offset ?? '', /^\d+$/)
    assert.ok(Math.abs(Date.parse(dead_letter_time ?? '') - Date.now()) < 60_000)
    assert.deepEqual(headers, {
      name: 'poison',
      dead_letter_error: 'PoisonError: cannot be read',
      dead_letter_group: group,
      dead_letter_topic: topic,
      dead_letter_partition: '1',
    })
  })

  it('poison that could not be answered is tried again, so that its answer is never lost', async () => {
    await deadLetterOf('unanswered')
    assert.equal(triesOf('unanswered'), 2)
    assert.equal(deadLettersOf('unanswered').length, 1)
  })

  it('poison whose answer always fails is dead-lettered without one', async () => {
    await deadLetterOf('unanswerable')
    assert.equal(triesOf('unanswerable'), 5)
  })

  it('poison that is too large for a dead letter leaves one that says where it lies', async () => {
    // Compressed it passes the broker, which no dead letter does.
    const value = 'x'.repeat(5_000_000)
    const headers = { name: 'too large' }
    const place = await send(
      topic,
      { key: 'too large', value, headers, partition: 0 },
      { gzip: true },
    )
    const isCut = ({ headers }: { headers: Record<string, string> }) => headers.dead_letter_cut
    const deadLetter = await waitFor('the dead letter', () => deadLetters.find(isCut), patienceMs)

    assert.equal(deadLetter.value, 'null')
    assert.equal(deadLetter.headers.dead_letter_cut, '5000000')
    assert.equal(deadLetter.headers.dead_letter_offset, place.offset)
    assert.equal(deadLetter.headers.dead_letter_partition, '0')
  })

  it('no reply: it is abandoned, and not dead-lettered', async () => {
    await waitFor('the try', () => triesOf('no reply') === 1)
    await waitFor(
      'all to be committed',
      async () => (await topics.committed(group, topic))[1] === Object.keys(failures).length,
      patienceMs,
    )
    assert.equal(triesOf('no reply'), 1)
    assert.deepEqual(deadLettersOf('no reply'), [])
  })

  it('each outcome is counted', async () => {
    const counts = async (): Promise<Record<string, number>> => {
      const { values } = await metrics.messages.get()
      return Object.fromEntries(values.map(({ labels, value }) => [labels.outcome, value]))
    }
    const tried = Object.values(failures).reduce((n, all) => n + all.length, 0)
    // What ended in another way than by a try that went well.
    const [ends, cut] = [6, 1]
    // A dead letter may be read a moment before it is counted.
    await waitFor('the last', async () => (await counts()).dead_lettered === 5 + cut)
    assert.deepEqual(await counts(), {
      handled: 6,
      retried: tried - ends,
      dead_lettered: 5 + cut,
      no_reply: 1,
    })
  })
})

describe('as many messages that nobody can handle as a consumer has places', function () {
  this.timeout(180_000)

  it('delay what follows until they are dead letters, and no longer', async () => {
    await using open = new AsyncDisposableStack()
    const topics = open.adopt(await createTestTopics({ partitions }), (it) => it.close())
    const deadLetters = await topics.read('dead-letters')
    const client = open.adopt(await topics.connect('kafka-test'), (it) => it.close())
    const handled: string[] = []
    await client.consume({
      group: newId(),
      topics: ['replies'],
      async handle({ key }) {
        if (key.startsWith('strange')) throw new Error('in words that nobody knows')
        handled.push(key)
      },
    })
    const send = await topics.connectProducer()
    const strange = Array.from({ length: testConcurrency }, (_, i) => `strange ${i}`)
    for (const key of [...strange, 'next']) {
      await send('replies', { key, value: '', headers: {}, partition: 0 })
    }

    await waitFor('the next one', () => handled.includes('next'), patienceMs)
    await waitFor('the others', () => deadLetters.length === strange.length, patienceMs)

    assert.deepEqual(new Set(deadLetters.map(({ key }) => key)), new Set(strange))
  })
})
