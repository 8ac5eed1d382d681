import assert from 'node:assert/strict'
import type { Producer } from 'kafkajs'
import { AppError } from './errors.ts'
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

  it('limits a request', async () => {
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

  it('gives up past the deadline, and does not send later what it said is lost', async () => {
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
})
