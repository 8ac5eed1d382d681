import { newId } from '../../shared/contracts/ids.ts'
import type { Topic } from '../../shared/contracts/topics.ts'
import { connectDeadLetters, type DeadLetter } from '../../shared/kafka/dead-letters.ts'
import { connectRawProducer, type RawOutgoing } from '../../shared/kafka/raw-messages.ts'
import { PoisonError } from '../../shared/messaging/poison.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestTopics } from './topics.ts'

/** Topics with a consumer that cannot handle some keys, and the store of its dead letters. */
export async function openDeadLetters() {
  await using opening = new AsyncDisposableStack()
  /** Keys that the consumer cannot handle; every other one it handles. */
  const poisonous = new Set<string>()
  const handled: { topic: Topic; key: string; headers: Record<string, string> }[] = []
  const topics = opening.adopt(await createTestTopics(), (it) => it.close())
  const { KAFKA_BROKERS: brokers, KAFKA_TOPIC_PREFIX: prefix } = topics.config
  const client = opening.adopt(await topics.connect('deadLetters'), (it) => it.close())
  const store = opening.adopt(await connectDeadLetters(brokers, prefix), (it) => it.close())
  const producer = opening.adopt(await connectRawProducer(brokers), (it) => it.close())
  await client.consume({
    group: 'reader',
    topics: ['replies', 'emails'],
    async handle({ topic, key, headers }) {
      if (poisonous.has(key)) throw new PoisonError(`${key} is poison`)
      handled.push({ topic, key, headers })
    },
  })

  const send = (topic: Topic, message: RawOutgoing) => producer.send(prefix + topic, message)

  /** The open dead letter of this key, as soon as there is one. */
  const deadLetterOf = (key: string) =>
    waitFor('the dead letter', async () => {
      const deadLetters = await store.list()
      return deadLetters.find(({ message }) => String(message.key) === key)
    })

  const opened = opening.move()
  return {
    brokers,
    prefix,
    store,
    send,
    poisonous,
    deadLetterOf,
    handledOf: (key: string) => handled.filter((one) => one.key === key),
    /** Has one message dead-lettered; from then on its key is no poison any more. */
    async poison(
      { topic = 'replies', ...message }: Partial<RawOutgoing> & { topic?: Topic } = {},
      key = newId(),
    ): Promise<DeadLetter> {
      poisonous.add(key)
      await send(topic, { key, value: 'garbage', ...message })
      const deadLetter = await deadLetterOf(key)
      poisonous.delete(key)
      return deadLetter
    },
    close: () => opened.disposeAsync(),
  }
}

export type DeadLetters = Awaited<ReturnType<typeof openDeadLetters>>
