import type { KafkaMessage, Producer } from 'kafkajs'
import type { Topic } from './contracts/topics.ts'
import { AppError } from './errors.ts'

export type Outgoing = { key: string; value: string; headers?: Record<string, string> }
/** A message that goes on byte for byte as it was read. */
export type Forwarded = Pick<KafkaMessage, 'key' | 'value' | 'headers'>

type Pending = {
  topic: Topic
  message: Outgoing | Forwarded
  resolve: () => void
  reject: (error: unknown) => void
}

const maxBatch = 500
const maxQueued = 10_000
const defaultDeadlineMs = 10_000

/**
 * Publishes with acks = all. One request is under way at a time and takes with it all that gathered meanwhile:
 * order is kept and a burst costs few requests, without waiting for one when there is no burst.
 *
 * The returned `publish` rejects with AppError('unavailable') past `deadlineMs` or when too much is queued; the
 * message may then still have reached Kafka, which every consumer has to bear anyhow.
 */
export function createPublisher(producer: Pick<Producer, 'sendBatch'>, prefix: string) {
  let queue: Pending[] = []
  let flushing = false

  async function flush() {
    flushing = true
    while (queue.length > 0) {
      const batch = queue.slice(0, maxBatch)
      queue = queue.slice(maxBatch)
      const byTopic = Map.groupBy(batch, (pending) => pending.topic)
      const topicMessages = [...byTopic].map(([topic, pendings]) => ({
        topic: prefix + topic,
        messages: pendings.map((pending) => pending.message),
      }))
      try {
        await producer.sendBatch({ acks: -1, topicMessages })
        for (const pending of batch) pending.resolve()
      } catch (cause) {
        const error = new AppError('unavailable', 'Kafka does not take messages', { cause })
        for (const pending of batch) pending.reject(error)
      }
    }
    flushing = false
  }

  return function publish(
    topic: Topic,
    message: Outgoing | Forwarded,
    deadlineMs = defaultDeadlineMs,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (queue.length >= maxQueued) {
        reject(new AppError('unavailable', 'too many messages wait for Kafka'))
        return
      }
      const pending: Pending = { topic, message, resolve, reject }
      const timer = setTimeout(() => {
        queue = queue.filter((other) => other !== pending)
        reject(new AppError('unavailable', `Kafka did not take the message in ${deadlineMs} ms`))
      }, deadlineMs)
      pending.resolve = () => {
        clearTimeout(timer)
        resolve()
      }
      pending.reject = (error) => {
        clearTimeout(timer)
        reject(error)
      }
      queue.push(pending)
      if (!flushing) void flush()
    })
  }
}
