import { newId } from '../../shared/contracts/ids.ts'
import type { Topic } from '../../shared/contracts/topics.ts'
import type { KafkaClient } from '../../shared/kafka/client.ts'
import type { ConsumeOptions } from '../../shared/messaging/bus.ts'
import type { TestTopics } from './topics.ts'

/** Clients and consumers of the topics of a test file, which end with each test. */
export function createConsumers(topics: TestTopics) {
  const clients: KafkaClient[] = []

  async function connect(options: Parameters<TestTopics['connect']>[1] = {}) {
    const client = await topics.connect('kafka-test', options)
    clients.push(client)
    return client
  }

  /** A consumer that notes what it begins and ends, and holds a message as long as its gate is shut. */
  async function consume(
    topic: Topic,
    {
      group = newId(),
      client,
      ...options
    }: Partial<ConsumeOptions> & { group?: string; client?: KafkaClient } = {},
  ) {
    const begun: string[] = []
    const ended: string[] = []
    const gates = new Map<string, PromiseWithResolvers<void>>()
    const consumer = await (client ?? (await connect())).consume({
      group,
      topics: [topic],
      async handle({ value }) {
        begun.push(value)
        await gates.get(value)?.promise
        ended.push(value)
      },
      ...options,
    })
    return {
      group,
      begun,
      ended,
      consumer,
      shut: (value: string) => void gates.set(value, Promise.withResolvers()),
      release: () => {
        for (const gate of gates.values()) gate.resolve()
        gates.clear()
      },
    }
  }

  return {
    connect,
    consume,
    close: () => Promise.all(clients.splice(0).map((client) => client.close())),
  }
}

export type Consumers = ReturnType<typeof createConsumers>
