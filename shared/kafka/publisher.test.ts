import assert from 'node:assert/strict'
import type { Producer } from 'kafkajs'
import { AppError } from '../runtime/errors.ts'
import { createPublisher } from './publisher.ts'

type Batch = Parameters<Producer['sendBatch']>[0]

/** A producer that answers a request when it is told to. */
function setUp() {
  const requests: (PromiseWithResolvers<[]> & { batch: Batch })[] = []
  const publish = createPublisher(
    {
      sendBatch(batch) {
        const request = { batch, ...Promise.withResolvers<[]>() }
        requests.push(request)
        return request.promise
      },
    },
    'test-',
  )
  return {
    publish: (value: string, deadlineMs?: number) =>
      publish('replies', { key: 'key', value }, deadlineMs),
    publishTo: publish,
    requests,
    /** What each request carries. */
    values: () =>
      requests.map(({ batch }) =>
        (batch.topicMessages ?? []).flatMap(({ messages }) => messages.map(({ value }) => value)),
      ),
    /** Answers a request, and lets the next one go. */
    async answer(index: number, error?: Error) {
      const request = requests[index]
      if (error) request?.reject(error)
      else request?.resolve([])
      await request?.promise.catch(() => undefined)
      await Promise.resolve()
    },
  }
}

const unavailable = (error: unknown) => error instanceof AppError && error.kind === 'unavailable'
const tooLarge = (error: unknown) => error instanceof AppError && error.kind === 'too_large'
/** As kafkajs throws it. */
const refusal = () => Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' })

describe('createPublisher', () => {
  it('sends at once, to the prefixed topic, and asks for every acknowledgement', async () => {
    const { publishTo, requests, answer } = setUp()
    const message = { key: 'a', value: '1', headers: { name: 'x' } }
    const published = publishTo('replies', message)
    assert.deepEqual(
      requests.map(({ batch }) => batch),
      [{ acks: -1, topicMessages: [{ topic: 'test-replies', messages: [message] }] }],
    )
    await answer(0)
    await published
  })

  it('sends together, in order, what gathers while a request is under way', async () => {
    const { publish, values, answer } = setUp()
    const published = ['1', '2', '3', '4'].map((value) => publish(value))
    assert.deepEqual(values(), [['1']])
    await answer(0)
    assert.deepEqual(values(), [['1'], ['2', '3', '4']])
    await answer(1)
    await Promise.all(published)
  })

  it('puts the messages of a request together by topic', async () => {
    const { publishTo, requests, answer } = setUp()
    const published = [
      publishTo('emails', { key: 'a', value: '0' }),
      publishTo('emails', { key: 'a', value: '1' }),
      publishTo('replies', { key: 'a', value: '2' }),
      publishTo('emails', { key: 'a', value: '3' }),
    ]
    await answer(0)
    const topicMessages = requests[1]?.batch.topicMessages?.map(({ topic, messages }) => [
      topic,
      messages.map(({ value }) => value),
    ])
    assert.deepEqual(topicMessages, [
      ['test-emails', ['1', '3']],
      ['test-replies', ['2']],
    ])
    await answer(1)
    await Promise.all(published)
  })

  it('limits the number of messages in a request', async () => {
    const { publish, values, answer } = setUp()
    const published = Array.from({ length: 1_002 }, (_, index) => publish(String(index)))
    for (const index of [0, 1, 2, 3]) await answer(index)
    assert.deepEqual(
      values().map(({ length }) => length),
      [1, 500, 500, 1],
    )
    await Promise.all(published)
  })

  it('says when Kafka does not take a request, and goes on with the next', async () => {
    const { publish, values, answer } = setUp()
    const cause = new Error('no leader')
    const refused = assert.rejects(publish('1'), (error: Error) => {
      return unavailable(error) && error.cause === cause
    })
    const taken = publish('2')
    await answer(0, cause)
    await refused
    assert.deepEqual(values(), [['1'], ['2']])
    await answer(1)
    await taken
  })

  it('rejects past the deadline, and does not send later what it said is lost', async () => {
    const { publish, values, answer } = setUp()
    const underWay = publish('under way', 1)
    const waiting = publish('waiting', 1)
    const patient = publish('patient')
    await assert.rejects(underWay, unavailable)
    await assert.rejects(waiting, unavailable)
    await answer(0)
    assert.deepEqual(values(), [['under way'], ['patient']])
    await answer(1)
    await patient
  })

  it('holds only so many messages', async () => {
    const { publish, requests, answer } = setUp()
    const published = Array.from({ length: 10_001 }, (_, index) => publish(String(index)))
    await assert.rejects(publish('one too many'), unavailable)
    for (let index = 0; index < 21; index++) await answer(index)
    await Promise.all(published)
    assert.equal(requests.length, 21)
  })

  it('limits the bytes in a request, whatever its topics', async () => {
    const { publishTo, values, answer } = setUp()
    const value = 'x'.repeat(400_000)
    const published = (['emails', 'replies', 'emails', 'purchases', 'replies'] as const).map(
      (topic) => publishTo(topic, { key: 'a', value }),
    )
    for (const index of [0, 1, 2]) await answer(index)
    await Promise.all(published)

    assert.deepEqual(
      values().map(({ length }) => length),
      [1, 2, 2],
    )
  })

  it('counts the bytes of text as Kafka stores it, headers included', async () => {
    const { publishTo, values, answer } = setUp()
    const message = { key: 'a', value: '手'.repeat(90_000), headers: { note: '機'.repeat(60_000) } }
    const published = [1, 2, 3, 4].map(() => publishTo('emails', message))
    for (const index of [0, 1, 2, 3]) await answer(index)
    await Promise.all(published)

    assert.deepEqual(
      values().map(({ length }) => length),
      [1, 1, 1, 1],
    )
  })

  it('sends a request that is refused for its size in halves, so that one message alone fails', async () => {
    const { publish, values, answer } = setUp()
    const first = publish('first')
    const [one, large, other] = ['one', 'large', 'other'].map((value) => publish(value))
    const failed = assert.rejects(large ?? first, tooLarge)
    await answer(0)
    await answer(1, refusal())
    await answer(2, refusal())
    await answer(3)
    await answer(4, refusal())
    await answer(5)
    await Promise.all([first, one, failed, other])

    assert.deepEqual(values(), [
      ['first'],
      ['one', 'large', 'other'],
      ['one', 'large'],
      ['one'],
      ['large'],
      ['other'],
    ])
  })

  it('does not send a half that its callers were told is lost', async () => {
    const { publish, values, answer } = setUp()
    const first = publish('first')
    const [one, other] = [publish('one'), publish('other', 1)]
    await answer(0)
    await assert.rejects(other, unavailable)
    await answer(1, refusal())
    await answer(2)
    await Promise.all([first, one])

    assert.deepEqual(values(), [['first'], ['one', 'other'], ['one']])
  })

  it('refuses at once what no broker takes, and sends what only dead-letters takes', async () => {
    const { publishTo, requests, answer } = setUp()
    const large = { key: 'a', value: 'x'.repeat(1_048_588) }
    await assert.rejects(publishTo('emails', large), tooLarge)
    assert.equal(requests.length, 0)

    const published = publishTo('dead-letters', large)
    await answer(0)
    await published
  })

  it('holds only so many bytes', async () => {
    const { publish, answer, requests } = setUp()
    const value = 'x'.repeat(1_000_000)
    const published = Array.from({ length: 67 }, () => publish(value))
    await assert.rejects(publish(value), unavailable)
    for (let index = 0; index < 67; index++) await answer(index)
    await Promise.all(published)
    assert.equal(requests.length, 67)

    const again = publish(value)
    await answer(67)
    await again
  })
})
